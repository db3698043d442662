// Go's net/http. usage: http_client PROXY CA GET|PUT URL FILE
// GET writes the body to FILE; PUT sends FILE and prints the answer.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	proxy, ca, method, target, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	pem, err := os.ReadFile(ca)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}),
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
	}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}

	var body io.Reader
	if method == "PUT" {
		in, err := os.Open(file)
		must(err)
		body = in
	}
	request, err := http.NewRequest(method, target, body)
	must(err)
	answer, err := client.Do(request)
	must(err)
	if answer.StatusCode != 200 {
		log.Fatal(answer.Status)
	}
	out := os.Stdout
	if method == "GET" {
		out, err = os.Create(file)
		must(err)
	}
	_, err = io.Copy(out, answer.Body)
	must(err)
	must(answer.Body.Close())
	transport.CloseIdleConnections()
}
