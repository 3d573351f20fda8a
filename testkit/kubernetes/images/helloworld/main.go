// helloworld answers "Hello $TARGET!" on $PORT after $DELAY, and begins to listen after $LISTEN_AFTER. Like the
// tutorial's own program it does nothing about SIGTERM: it ends at once, requests or not.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func wait(name string) time.Duration {
	value, err := time.ParseDuration(setting(name, "0s"))
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return value
}

func main() {
	// The first process of a container ignores signals that it has no handler for.
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	go func() {
		<-end
		os.Exit(143)
	}()

	time.Sleep(wait("LISTEN_AFTER"))
	delay, target := wait("DELAY"), setting("TARGET", "World")
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		time.Sleep(delay)
		fmt.Fprintf(answer, "Hello %s!\n", target)
	})
	log.Fatal(http.ListenAndServe(":"+setting("PORT", "8080"), nil))
}
