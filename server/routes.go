package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/ankurah-go/ankurah/server/config"
)

// routes returns what the server answers.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", s.endpoint)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.serveReady)
	if s.config.Metrics {
		mux.HandleFunc("GET /metrics", s.serveMetrics)
	}
	mux.HandleFunc("/", s.serveRoot)
	return mux
}

// serveRoot is everything else: the app if there is one, and connections of clients
// whose address has no path.
func (s *server) serveRoot(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		s.endpoint.ServeHTTP(w, r)
	case s.app != nil:
		s.app.ServeHTTP(w, r)
	case r.URL.Path == "/":
		say(w, http.StatusOK, fmt.Sprintf("This is an Ankurah server, version %s. Clients connect to %s.", versionText(), s.url("ws")))
	default:
		http.NotFound(w, r)
	}
}

func say(w http.ResponseWriter, status int, text string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// allowedOrigins returns the pages that may connect. A server that only this machine
// can reach lets every page of this machine connect, unless it was told otherwise:
// the app's own development server has another port.
func allowedOrigins(c *config.Config) []string {
	if len(c.Origins) > 0 || !onlyThisMachine(c.Addr) {
		return c.Origins
	}
	var origins []string
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		origins = append(origins, "http://"+host+":*", "https://"+host+":*")
	}
	return origins
}

// onlyThisMachine reports whether an address is a loopback address.
func onlyThisMachine(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
