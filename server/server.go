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
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/server/engine"
	"github.com/ankurah-go/ankurah/server/webapp"
)

// Deadlines for the HTTP part of a connection; the WebSocket has its own.
const (
	headerTimeout = 10 * time.Second // of the TLS handshake too
	readTimeout   = 30 * time.Second
	writeTimeout  = 5 * time.Minute // of a whole file, over a slow line
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
	tls      *keyPair // nil without TLS
	ready    readiness
	admin    *adminServer // nil without --admin
	peers    *peers       // nil without --peers
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
	if s.tls, err = loadCertificate(c, log); err != nil {
		return nil, err
	}
	if s.node, err = openNode(ctx, c, log, &s.metrics); err != nil {
		return nil, err
	}
	if s.peers, err = connectPeers(s.node, c, log); err != nil {
		return nil, err
	}
	s.endpoint = ws.Handler(s.node, s.sockets())
	if s.listener, err = s.listen(); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, s.openAdmin()
}

// openNode opens the storage, the node over it, and the system if it is a new one.
func openNode(ctx context.Context, c *config.Config, log *slog.Logger, m *metrics) (*core.Node, error) {
	store, err := engine.Open(ctx, c.Storage, engine.Serving, log)
	if err != nil {
		return nil, err
	}
	node, err := core.Open(ctx, core.Options{
		Engine:        store,
		Policy:        policy.Permissive(),
		Durable:       true,
		Listener:      nodeListener(log, m),
		MaxClockDrift: c.MaxClockDrift,
		Limits:        c.Limits,
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	log.Warn("everybody may read and write everything: the policy is Permissive")
	_, ok := node.System()
	if !ok && len(c.Peers) > 0 {
		log.Info("waiting for a peer, to join its system")
	} else if !ok {
		switch err := node.CreateSystem(ctx); {
		case errors.Is(err, core.ErrSystemExists): // another server on the same store was faster
		case err != nil:
			return nil, errors.Join(err, node.Close())
		default:
			log.Info("created a new system")
		}
	}
	system, _ := node.System()
	log.Info("node is open", "storage", c.Storage, "node", node.ID(), "system", system)
	return node, nil
}

// sockets returns the options of the WebSocket endpoint.
func (s *server) sockets() ws.Options {
	c := s.config
	o := c.Sockets
	o.MaxFrame = c.MaxFrame
	o.Origins = allowedOrigins(c)
	o.MaxConnections, o.MaxPerAddress, o.TrustedProxies = c.MaxConnections, c.MaxPerAddress, c.TrustedProxies
	o.Listener = endpointListener(s.log, &s.metrics)
	return o
}

func (s *server) listen() (net.Listener, error) {
	c := s.config
	plain, err := net.Listen("tcp", c.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--addr: %s is in use by another program", c.Addr)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("--addr: %s may not be used: permission denied", c.Addr)
	case err != nil:
		return nil, fmt.Errorf("--addr: %w", err)
	}
	listener := net.Listener(newBoundedListener(plain, c.MaxConnections+plainConnections, c.MaxPerAddress+plainPerAddress, c.TrustedProxies,
		func(string) { s.metrics.turnedAway.Add(1) }))
	if s.tls != nil {
		listener = tls.NewListener(listener, s.tls.config())
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

// serve answers until ctx ends, and then shuts down in good order. SIGHUP has it read its
// certificate again.
func (s *server) serve(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	s.log.Info("listening", "clients", s.url("ws"), "app", s.appURL(), "version", versionText())

	for {
		select {
		case <-hangup:
			if s.tls != nil {
				s.tls.reload()
			}
		case <-ctx.Done():
			s.log.Info("shutting down")
			return s.shutdown()
		case <-s.node.Done():
			// Its clients connect again, to another server or, when it is started again, to this.
			return errors.Join(fmt.Errorf("the node has ended: %w", s.node.Err()), s.shutdown())
		case err := <-failed:
			return errors.Join(fmt.Errorf("serve: %w", err), s.shutdown())
		}
	}
}

func (s *server) appURL() string {
	if s.app == nil {
		return "none"
	}
	return s.url("http")
}

// shutdown says that this is not the place to go to any more, has the node say goodbye to
// its peers, after what they had sent is answered, and then closes the node, which finishes
// what it is committing, and the storage. Clients connect again, here or elsewhere, and send
// again what was not acknowledged, so that nothing is lost.
func (s *server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainDelay+s.config.ShutdownTimeout)
	defer cancel()
	drain, cancelDrain := context.WithTimeout(ctx, s.config.DrainDelay+s.config.ShutdownTimeout/2)
	defer cancelDrain()
	if err := s.drain(drain); err != nil {
		s.log.Warn("some peers are not done in time, and will be cut off", "err", err)
	}

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

// drain says that this is not the place to go to any more, and has the node say goodbye to its
// peers. It returns when they have gone; the server runs on, and serves nobody.
func (s *server) drain(ctx context.Context) error {
	if !s.stopping.Swap(true) {
		s.log.Info("draining")
		select {
		case <-time.After(s.config.DrainDelay): // until who asks /readyz has heard it
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.endpoint.Refuse()
	return s.node.Drain(ctx)
}

// release closes what is open.
func (s *server) release() error {
	var errs []error
	if s.listener != nil {
		s.listener.Close() // Shutdown has done so, unless open failed
	}
	s.peers.close()
	errs = append(errs, s.admin.close())
	if s.node != nil {
		errs = append(errs, s.node.Close())
	}
	if s.app != nil {
		errs = append(errs, s.app.Close())
	}
	return errors.Join(errs...)
}
