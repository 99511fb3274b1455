package ws

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/ankurah-go/ankurah/proto"
)

// Limits bound one connection, on either side. The zero value is useful.
type Limits struct {
	// MaxFrame is the size in bytes of the largest frame, sent or received; default
	// proto.MaxFrame.
	MaxFrame int
	// QueueFrames and QueueBytes bound what waits to be written; Send blocks when
	// either is reached. One frame may always wait, whatever its size. Default 256
	// frames and 1 MiB.
	QueueFrames int
	QueueBytes  int
	// WriteTimeout is how long the peer may take to accept one frame, and ReadTimeout how
	// long from the beginning of one to its end; default 30 s each.
	WriteTimeout time.Duration
	ReadTimeout  time.Duration
	// PingInterval is how long the peer may be silent before it is pinged, and
	// PongTimeout how long it may take to answer; default 30 s and 15 s.
	PingInterval time.Duration
	PongTimeout  time.Duration
	// FlushTimeout is how long Close keeps writing what was sent before it; default
	// 2 s.
	FlushTimeout time.Duration
	// Compression turns permessage-deflate on, if the peer has it too. It costs
	// memory for each connection, and the frames are compact as they are.
	Compression bool
}

func (l Limits) ensureDefaults() Limits {
	setDefault(&l.MaxFrame, proto.MaxFrame)
	setDefault(&l.QueueFrames, 256)
	setDefault(&l.QueueBytes, 1<<20)
	setDefault(&l.WriteTimeout, 30*time.Second)
	setDefault(&l.ReadTimeout, 30*time.Second)
	setDefault(&l.PingInterval, 30*time.Second)
	setDefault(&l.PongTimeout, 15*time.Second)
	setDefault(&l.FlushTimeout, 2*time.Second)
	return l
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Options are those of the server's side. The zero value serves pages of its own
// origin.
type Options struct {
	Limits

	// Origins are the pages that may connect besides those of the server's own host:
	// "https://app.example.com", a host with a wildcard as "https://*.example.com" or
	// "http://localhost:*", or "*" for all. A client that is not a browser sends no
	// origin and is not asked.
	Origins []string
	// MaxConnections is how many connections may be open at once, default 10,000, and
	// MaxPerAddress how many of them from one address, default 1,000: from one network of
	// 64 bits, where that is IPv6.
	MaxConnections, MaxPerAddress int
	// TrustedProxies may say in X-Forwarded-For on whose behalf they connect. Without them
	// whoever comes through a proxy has the address of the proxy.
	TrustedProxies []netip.Prefix
	// OpeningFrame is the size in bytes of the largest frame that is received before the
	// node has answered a connection; default 128 KiB, and no more than MaxFrame.
	OpeningFrame int
	// ReceiveBytes bounds the memory of all messages over 16 KiB that are being received
	// or worked on, a quarter of it for one address; more of them wait. Default 256 MiB,
	// and no less than four frames.
	ReceiveBytes int
	// Listener is told what happens.
	Listener Listener
}

// DefaultOptions returns the options of an endpoint that is given none.
func DefaultOptions() Options { return Options{}.ensureDefaults() }

func (o Options) ensureDefaults() Options {
	o.Limits = o.Limits.ensureDefaults()
	setDefault(&o.MaxConnections, 10_000)
	setDefault(&o.MaxPerAddress, 1000)
	setDefault(&o.OpeningFrame, 128<<10)
	o.OpeningFrame = min(o.OpeningFrame, o.MaxFrame)
	setDefault(&o.ReceiveBytes, 256<<20)
	o.ReceiveBytes = max(o.ReceiveBytes, 4*o.MaxFrame) // so that each address has room for one
	return o
}

// Listener hears of an endpoint's connections. Fields may be nil; the functions must
// not block.
type Listener struct {
	// Connected: a connection is served from now on.
	Connected func(remote string)
	// Disconnected: it has ended; err is what Serve returned.
	Disconnected func(remote string, err error)
	// Refused: a request did not become a connection.
	Refused func(remote, reason string)
	// Panicked: serving a connection panicked, with value and stack.
	Panicked func(remote string, value any, stack []byte)
}

// DialOptions are those of the client's side.
type DialOptions struct {
	Limits

	// Header is sent with the request that opens the connection.
	Header http.Header
	// Client makes that request; default http.DefaultClient. It must not have a
	// Timeout.
	Client *http.Client
}
