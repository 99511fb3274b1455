package main

import (
	"net"
	"net/netip"
	"sync"

	"github.com/ankurah-go/ankurah/connectors/ws"
)

// Connections that are no WebSocket, or not yet: pages, health checks, handshakes. So many
// may be open beside those, altogether and from one address.
const (
	plainConnections = 1024
	plainPerAddress  = 128
)

// boundedListener closes connections as soon as they are accepted where there are too many,
// altogether or from one address: what costs nothing to open must not cost file descriptors to
// keep, and nobody is heard before the handshake by whom it could be told why. A proxy's
// address counts for as many as it likes.
type boundedListener struct {
	net.Listener
	max, each int
	proxies   []netip.Prefix
	refused   func(remote string)

	mu   sync.Mutex
	open int
	from map[string]int
}

func newBoundedListener(l net.Listener, max, each int, proxies []netip.Prefix, refused func(remote string)) *boundedListener {
	return &boundedListener{Listener: l, max: max, each: each, proxies: proxies, refused: refused, from: map[string]int{}}
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		remote := conn.RemoteAddr().String()
		if key := ws.AddressKey(remote); l.enter(key, ws.Contains(l.proxies, remote)) {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(key) })}, nil
		}
		conn.Close()
		l.refused(remote)
	}
}

func (l *boundedListener) enter(key string, proxy bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max || !proxy && l.from[key] >= l.each {
		return false
	}
	l.open++
	l.from[key]++
	return true
}

func (l *boundedListener) leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[key]--; l.from[key] == 0 {
		delete(l.from, key)
	}
}

// countedConn is counted until it is closed.
type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
