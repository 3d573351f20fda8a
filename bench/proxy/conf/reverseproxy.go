// Go's httputil.ReverseProxy as a peer: upstream keep-alive, forwarded headers, a pool of buffers, no log.
// Arguments: PORT POD...
package main

import (
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
)

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte       { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

func main() {
	var pods []*url.URL
	for _, address := range os.Args[2:] {
		pods = append(pods, &url.URL{Scheme: "http", Host: address})
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(pods[rand.IntN(len(pods))])
			request.Out.Host = request.In.Host
			request.SetXForwarded()
			request.Out.Header.Set("Forwarded", "for="+request.Out.Header.Get("X-Forwarded-For")+
				";host="+request.In.Host+";proto=http")
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		BufferPool: &buffers{sync.Pool{New: func() any {
			buffer := make([]byte, 32<<10)
			return &buffer
		}}},
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], proxy))
}
