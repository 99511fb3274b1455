// Package natstest runs a NATS server within a test, on loopback.
//
// # Concurrency
//
// A Server is for one goroutine at a time.
//
// # Errors
//
// A test that needs a server fails where none can be started. It is never skipped.
package natstest

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience bounds a failing test: servers are there within milliseconds.
const patience = 30 * time.Second

// Server is a NATS server that can go away, and come back under the same address.
type Server struct {
	options server.Options
	running *server.Server
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{options: server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true}}
	s.Start(t)
	s.options.Port = s.running.Addr().(*net.TCPAddr).Port
	t.Cleanup(s.Stop)
	return s
}

// URL returns the server's address.
func (s *Server) URL() string {
	return "nats://" + net.JoinHostPort(s.options.Host, strconv.Itoa(s.options.Port))
}

// Start starts a server that was stopped.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	options := s.options
	running, err := server.NewServer(&options)
	if err != nil {
		t.Fatalf("natstest: %v", err)
	}
	running.Start()
	if !running.ReadyForConnections(patience) {
		running.Shutdown()
		t.Fatal("natstest: the server does not start")
	}
	s.running = running
}

// Stop ends the server and its connections, if it runs.
func (s *Server) Stop() {
	if s.running != nil {
		s.running.Shutdown()
		s.running.WaitForShutdown()
		s.running = nil
	}
}
