// Answers each request and says on stdout what it was: "listening PORT" first, then for each request
// "METHOD TARGET LENGTH SHA-1" of the body, or "METHOD TARGET broken" when its body broke off.
package main

import (
	"crypto/sha1"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fmt.Printf("%s %s broken\n", r.Method, r.RequestURI)
		return
	}
	fmt.Printf("%s %s %d %x\n", r.Method, r.RequestURI, len(body), sha1.Sum(body))
	switch r.URL.Path {
	case "/204":
		w.WriteHeader(http.StatusNoContent)
	case "/304":
		w.WriteHeader(http.StatusNotModified)
	default:
		io.WriteString(w, r.Method+" "+r.RequestURI)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := http.Server{Handler: http.HandlerFunc(answer), DisableGeneralOptionsHandler: true}
	server.ErrorLog = log.New(os.Stderr, "", 0)
	log.Fatal(server.Serve(listener))
}
