package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/server/webapp"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/postgres"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
	"github.com/ankurah-go/ankurah/storage/sqlite"
)

// Deadlines for the HTTP part of a connection; the WebSocket has its own.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// server is a durable node and what it is reached by.
type server struct {
	config   *config.Config
	log      *slog.Logger
	metrics  metrics
	app      *webapp.Handler // nil without --app
	node     *core.Node
	endpoint *ws.Endpoint
	http     *http.Server
	listener net.Listener
	stopping atomic.Bool
}

// open starts everything but the serving. What it has opened it closes again when it
// fails.
func open(ctx context.Context, c *config.Config, log *slog.Logger) (_ *server, err error) {
	s := &server{config: c, log: log, metrics: metrics{started: time.Now()}}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if c.App != "" {
		if s.app, err = webapp.New(c.App, c.CSP); err != nil {
			return nil, fmt.Errorf("--app: %w", err)
		}
	}
	certificates, err := loadCertificate(c)
	if err != nil {
		return nil, err
	}
	if s.node, err = openNode(ctx, c, log, &s.metrics); err != nil {
		return nil, err
	}
	s.endpoint = ws.Handler(s.node, ws.Options{
		Limits:         ws.Limits{MaxFrame: c.MaxFrame},
		Origins:        allowedOrigins(c),
		MaxConnections: c.MaxConnections,
		Listener:       endpointListener(log, &s.metrics),
	})
	if s.listener, err = listen(c.Addr, certificates); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// openNode opens the storage, the node over it, and the system if it is a new one.
func openNode(ctx context.Context, c *config.Config, log *slog.Logger, m *metrics) (*core.Node, error) {
	engine, err := openEngine(ctx, c.Storage)
	if err != nil {
		return nil, err
	}
	node, err := core.Open(ctx, core.Options{
		Engine:        engine,
		Policy:        policy.Permissive(),
		Durable:       true,
		Listener:      nodeListener(log, m),
		MaxClockDrift: c.MaxClockDrift,
	})
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	log.Warn("everybody may read and write everything: the policy is Permissive")
	if _, ok := node.System(); !ok {
		if err := node.CreateSystem(ctx); err != nil {
			return nil, errors.Join(err, node.Close())
		}
		log.Info("created a new system")
	}
	system, _ := node.System()
	log.Info("node is open", "storage", c.Storage, "node", node.ID(), "system", system)
	return node, nil
}

func openEngine(ctx context.Context, s config.Storage) (storage.Engine, error) {
	switch s.Engine {
	case "memory":
		return memory.New(), nil
	case "sqlite":
		engine, err := sqlite.Open(ctx, s.File, sqlite.Options{Exclusive: true})
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", s.File, err)
		}
		return engine, nil
	case "postgres":
		engine, err := postgres.Open(ctx, s.URL, postgres.Options{Exclusive: true})
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", s, err)
		}
		return engine, nil
	}
	return openDirectory(s.Dir)
}

func openDirectory(dir string) (storage.Engine, error) {
	engine, err := sledcompat.Open(dir)
	switch {
	case errors.Is(err, sledcompat.ErrLocked):
		return nil, fmt.Errorf("data directory %s is in use by another server", dir)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data directory %s cannot be written: permission denied", dir)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("data directory %s is not a directory", dir)
	case err != nil:
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return engine, nil
}

// loadCertificate returns the TLS configuration, nil without a certificate.
func loadCertificate(c *config.Config) (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s with --tls-key %s: %w", c.TLSCert, c.TLSKey, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

func listen(addr string, certificates *tls.Config) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--addr: %s is in use by another program", addr)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("--addr: %s may not be used: permission denied", addr)
	case err != nil:
		return nil, fmt.Errorf("--addr: %w", err)
	}
	if certificates != nil {
		listener = tls.NewListener(listener, certificates)
	}
	return listener, nil
}

// url returns the server's address with a scheme, "ws" or "http", made secure if it is.
func (s *server) url(scheme string) string {
	if s.config.TLSCert != "" {
		scheme += "s"
	}
	host, _, _ := net.SplitHostPort(s.config.Addr) // Parse has checked it
	if host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return scheme + "://" + net.JoinHostPort(host, port)
}

// serve answers until ctx ends, and then shuts down in good order.
func (s *server) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	s.log.Info("listening", "clients", s.url("ws"), "app", s.appURL(), "version", versionText())

	var err error
	select {
	case <-ctx.Done():
		s.log.Info("shutting down")
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	}
	return errors.Join(err, s.shutdown())
}

func (s *server) appURL() string {
	if s.app == nil {
		return "none"
	}
	return s.url("http")
}

// shutdown ends connections, after what was sent on them, then the node, which finishes
// what it is committing, and closes the storage. Clients send again what was not
// acknowledged, so that nothing is lost.
func (s *server) shutdown() error {
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.ShutdownTimeout)
	defer cancel()

	requests := make(chan error, 1)
	go func() { requests <- s.http.Shutdown(ctx) }()
	err := s.endpoint.Shutdown(ctx)
	err = errors.Join(err, <-requests)

	released := make(chan error, 1)
	go func() { released <- s.release() }()
	select {
	case closeErr := <-released:
		err = errors.Join(err, closeErr)
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("the node did not close within %s", s.config.ShutdownTimeout))
	}
	if err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	s.log.Info("stopped")
	return nil
}

// release closes what is open.
func (s *server) release() error {
	var errs []error
	if s.listener != nil {
		s.listener.Close() // Shutdown has done so, unless open failed
	}
	if s.node != nil {
		errs = append(errs, s.node.Close())
	}
	if s.app != nil {
		errs = append(errs, s.app.Close())
	}
	return errors.Join(errs...)
}
