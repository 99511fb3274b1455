package ws

import (
	"bufio"
	"net"
	"net/http"
	"syscall"
	"time"
)

// lookEvery is how often a connection is looked at whose receiver is busy: what the peer sends
// is not read then, and so neither is that it has gone.
const lookEvery = time.Second

// lastWords is how long what came before the end of a connection may take. Then what is done for
// the peer ends, of which nobody would hear.
const lastWords = time.Second

// hijacked notes which connection a response's is. [http.NewResponseController] finds what the
// writer can by Unwrap.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h *hijacked) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// Hijack implements http.Hijacker.
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, rw, err
}

// rawOf returns the system's connection under conn, or nil if there is none.
func rawOf(conn net.Conn) syscall.RawConn {
	if under, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = under.NetConn()
	}
	if sys, ok := conn.(syscall.Conn); ok {
		if raw, err := sys.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}
