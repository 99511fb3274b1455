package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

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

// nodeListener writes what a node tells into the log, and counts it.
func nodeListener(log *slog.Logger, m *metrics) core.Listener {
	return core.Listener{
		Connected: func(peer id.NodeID, remote string) {
			log.Debug("peer connected", "peer", peer, "remote", remote)
		},
		Disconnected: func(peer id.NodeID, remote string, err error) {
			log.Debug("peer disconnected", "peer", peer, "remote", remote, "reason", reason(err))
		},
		Refused: func(peer id.NodeID, tx id.TransactionID, err error) {
			m.refused.Add(1)
			log.Info("transaction refused", "transaction", tx, "peer", peer, "reason", reason(err))
		},
		Failed: func(op string, err error) {
			m.failed.Add(1)
			log.Error("failed", "op", op, "err", err)
		},
	}
}

// endpointListener does the same for the WebSocket endpoint.
func endpointListener(log *slog.Logger, m *metrics) ws.Listener {
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
			log.Warn("connection refused", "remote", remote, "reason", why)
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
