package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core"
)

// How long the storage may take to say that it is there, and how long that is believed: who
// asks often does not make it work.
const (
	probeTimeout = 5 * time.Second
	probeEvery   = time.Second
)

// readiness is whether it makes sense to send clients here.
type readiness struct {
	mu   sync.Mutex
	at   time.Time
	last error
}

var errDraining = errors.New("shutting down")

// check returns why the server is not ready, or nil.
func (r *readiness) check(ctx context.Context, node *core.Node) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < probeEvery {
		return r.last
	}
	// The answer is for others too, who do not go away with this one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	r.last = node.Probe(ctx)
	r.at = time.Now()
	return r.last
}

// serveReady says whether to send clients here: not while the server shuts down, nor while
// its storage does not answer.
func (s *server) serveReady(w http.ResponseWriter, r *http.Request) {
	err := errDraining
	if !s.stopping.Load() {
		err = s.ready.check(r.Context(), s.node)
	}
	switch {
	case err == nil:
		say(w, http.StatusOK, "ready")
	case errors.Is(err, errDraining):
		say(w, http.StatusServiceUnavailable, err.Error())
	default:
		s.log.Warn("not ready", "err", err)
		say(w, http.StatusServiceUnavailable, "not ready: "+core.KindOf(err).String())
	}
}
