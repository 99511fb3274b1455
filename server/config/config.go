package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/proto"
)

// Config is how a server runs. Parse returns complete ones.
type Config struct {
	// Addr is where the server listens, as host:port.
	Addr string
	// TLSCert and TLSKey are PEM files; both or neither.
	TLSCert, TLSKey string
	// Origins are the web pages that may connect, besides the server's own.
	Origins []string

	// Storage is the engine.
	Storage Storage
	// App is the directory of a built web app to serve, if any.
	App string
	// CSP is the app's Content-Security-Policy; empty for none.
	CSP string

	// Peers are durable servers with stores of their own to replicate with, as URLs, and
	// PeerCredentials the file with what this server presents to them, if anything.
	Peers           []string
	PeerCredentials string

	// MaxConnections bounds the open connections, MaxPerAddress those from one address.
	MaxConnections, MaxPerAddress int
	// TrustedProxies are believed on whose behalf they connect.
	TrustedProxies []netip.Prefix
	// Limits and Sockets are what --limit sets; zero fields have their defaults.
	Limits  core.Limits
	Sockets ws.Options
	// MaxFrame bounds one message, in bytes.
	MaxFrame int
	// MaxClockDrift is how far ahead of the server's clock an event may be.
	MaxClockDrift time.Duration
	// ShutdownTimeout is how long a shutdown waits for what is in progress, and DrainDelay
	// how long before that the server says that it is not ready and still serves.
	ShutdownTimeout, DrainDelay time.Duration

	// Metrics serves /metrics.
	Metrics bool
	// Admin is the Unix socket for ankurah inspect, dump and copy; empty for none.
	Admin string
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// LogFormat is "text" or "json".
	LogFormat string
}

// Storage names an engine and where it keeps its data.
type Storage struct {
	// Engine is "pebble", "sqlite", "postgres", "tikv" or "memory".
	Engine string
	// Dir is pebble's data directory.
	Dir string
	// File is SQLite's file.
	File string
	// URL is that of the Postgres database, which may have a password in it, or of the prefix
	// of a TiKV cluster.
	URL string
	// Wake is the NATS by which servers on one TiKV tell each other of commits: addresses with
	// commas between them, which may have passwords in them; empty for none.
	Wake string
}

// String returns the storage as a setting, without a password.
func (s Storage) String() string {
	switch s.Engine {
	case "tikv":
		return s.URL
	case "postgres":
	default:
		return s.Engine + ":" + s.Dir + s.File
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return "postgres:"
	}
	if q := u.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// What Parse answers when the user asked for something else than a server.
var (
	ErrHelp    = errors.New("help requested")
	ErrVersion = errors.New("version requested")
)

// Error is a setting that makes no sense.
type Error struct {
	Setting string // as the user gave it: "--addr", "ANKURAH_ADDR"
	Problem string
}

// Error implements error.
func (e *Error) Error() string { return e.Setting + ": " + e.Problem }

// DefaultCSP lets an app load what it was built with, run WebAssembly and workers, and
// connect to any WebSocket.
const DefaultCSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; " +
	"connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"object-src 'none'; base-uri 'self'; frame-ancestors 'self'"

// minFrame is the smallest limit that a node can work with: a full event fits.
const minFrame = proto.MaxEventBytes + 64<<10

func defaults() Config {
	return Config{
		Addr:            "localhost:9797",
		Storage:         Storage{Engine: "pebble", Dir: "./data"},
		CSP:             DefaultCSP,
		MaxConnections:  10_000,
		MaxPerAddress:   1000,
		MaxFrame:        proto.MaxFrame,
		MaxClockDrift:   5 * time.Minute,
		ShutdownTimeout: 15 * time.Second,
		LogLevel:        slog.LevelInfo,
		LogFormat:       "text",
	}
}
