package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ankurah-go/ankurah/server/admin"
)

// adminServer answers on the admin socket.
type adminServer struct {
	http     *http.Server
	listener net.Listener
	ended    chan error
}

// openAdmin begins to answer on the admin socket, if there is to be one.
func (s *server) openAdmin() error {
	if s.config.Admin == "" {
		return nil
	}
	listener, err := admin.Listen(s.config.Admin)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	a := &adminServer{listener: listener, ended: make(chan error, 1), http: &http.Server{
		Handler: admin.Handler(admin.Options{
			Node: s.node, Store: s.node.Engine(), Server: s.inspect, Drain: s.drain,
			Failed: func(what string, err error) { s.log.Warn("admin request failed", "request", what, "err", err) },
		}),
		ReadHeaderTimeout: headerTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}}
	s.admin = a
	go func() { a.ended <- a.http.Serve(listener) }()
	s.log.Info("answering ankurah inspect, dump, copy and drain", "socket", s.config.Admin)
	return nil
}

// inspect tells of the server.
func (s *server) inspect() admin.Server {
	status := "ready"
	if err := s.ready.check(context.Background(), s.node); s.stopping.Load() {
		status = errDraining.Error()
	} else if err != nil {
		status = err.Error()
	}
	return admin.Server{
		Version: versionText(), Uptime: time.Since(s.metrics.started).Round(time.Second).String(),
		Status: status, Connections: s.endpoint.Connections(),
	}
}

// close ends what is being answered: an archive that is cut off can be gone on with.
func (a *adminServer) close() error {
	if a == nil {
		return nil
	}
	err := errors.Join(a.http.Close(), a.listener.Close())
	if serveErr := <-a.ended; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil // the one has closed it for the other
	}
	return err
}
