package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/server/config"
)

func newLogger(w io.Writer, c *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// What peers cause is logged at most so often: who can fill the log can hide in it, and fill
// the disk.
const (
	linesPerSecond = 10
	linesAtOnce    = 50
)

// restraint decides which lines of one kind are logged.
type restraint struct {
	mu     sync.Mutex
	left   float64
	at     time.Time
	passed int // over, since the last that was logged
}

// allow reports whether to log a line, and how many were passed over since the last one.
func (r *restraint) allow(now time.Time) (ok bool, passed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() {
		r.left = linesAtOnce
	} else {
		r.left = min(linesAtOnce, r.left+now.Sub(r.at).Seconds()*linesPerSecond)
	}
	r.at = now
	if r.left < 1 {
		r.passed++
		return false, 0
	}
	r.left--
	passed, r.passed = r.passed, 0
	return true, passed
}

// log writes a line, if it may, with how many others were not written before it.
func (r *restraint) log(log func(msg string, args ...any), msg string, args ...any) {
	ok, passed := r.allow(time.Now())
	if !ok {
		return
	}
	if passed > 0 {
		args = append(args, "not_logged", passed)
	}
	log(msg, args...)
}

// nodeListener writes what a node tells into the log, and counts it.
func nodeListener(log *slog.Logger, m *metrics) core.Listener {
	refusals, failures := new(restraint), new(restraint)
	return core.Listener{
		Connected: func(peer id.NodeID, remote string) {
			log.Debug("peer connected", "peer", peer, "remote", remote)
		},
		Disconnected: func(peer id.NodeID, remote string, err error) {
			log.Debug("peer disconnected", "peer", peer, "remote", remote, "reason", reason(err))
		},
		Refused: func(peer id.NodeID, tx id.TransactionID, err error) {
			m.refused.Add(1)
			refusals.log(log.Info, "transaction refused", "transaction", tx, "peer", peer, "reason", reason(err))
		},
		Failed: func(op string, err error) {
			m.failed.Add(1)
			failures.log(log.Error, "failed", "op", op, "err", err)
		},
	}
}

// endpointListener does the same for the WebSocket endpoint.
func endpointListener(log *slog.Logger, m *metrics) ws.Listener {
	refusals := new(restraint)
	return ws.Listener{
		Connected: func(remote string) {
			m.connections.Add(1)
			log.Debug("connected", "remote", remote)
		},
		Disconnected: func(remote string, err error) {
			log.Debug("disconnected", "remote", remote, "reason", reason(err))
		},
		Refused: func(remote, why string) {
			m.turnedAway.Add(1)
			refusals.log(log.Warn, "connection refused", "remote", remote, "reason", why)
		},
		Panicked: func(remote string, value any, stack []byte) {
			m.failed.Add(1)
			log.Error("panic while serving", "remote", remote, "panic", value, "stack", string(stack))
		},
	}
}

// reason is an error as the log shows it; ends in good order have none.
func reason(err error) string {
	if err == nil || errors.Is(err, connectors.ErrClosed) || errors.Is(err, context.Canceled) {
		return "closed"
	}
	return err.Error()
}
