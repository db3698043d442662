// The CONNECT proxy that most Go programmers would write first: hijack, dial, two io.Copy.
// It is a peer in the bench and nothing else; how many descriptors and bytes it costs is the point.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func relay(to, from net.Conn, done chan<- struct{}) {
	io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		half.CloseWrite()
	}
	done <- struct{}{}
}

func serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	target, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer target.Close()
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{}, 2)
	go relay(target, client, done)
	go relay(client, target, done)
	<-done
	<-done
}

func main() {
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(serve)))
}
