package ws_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

// One address does not get more connections than its share, and a trusted proxy speaks for
// many addresses; what a client says of itself counts for nothing.
func TestConnectionsOfOneAddress(t *testing.T) {
	proxies, err := ws.ParseProxies([]string{"127.0.0.0/8", "10.1.1.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		trusted   bool
		forwarded []string // of each connection that is opened
		refused   bool     // the last of them
	}{
		{"one address", false, []string{"", "", ""}, true},
		{"what a client says", false, []string{"1.1.1.1", "2.2.2.2", "3.3.3.3"}, true},
		{"a proxy for several", true, []string{"1.1.1.1", "2.2.2.2", "3.3.3.3"}, false},
		{"a proxy for one", true, []string{"1.1.1.1", "1.1.1.1", "1.1.1.1"}, true},
		{"a client behind a proxy that says more", true, []string{"5.5.5.5, 1.1.1.1", "6.6.6.6,1.1.1.1", "7.7.7.7, 1.1.1.1"}, true},
		{"two proxies", true, []string{"1.1.1.1, 10.1.1.1", "2.2.2.2, 10.1.1.1", "3.3.3.3, 10.1.1.1"}, false},
		{"a proxy that says nothing", true, []string{"", "", "nonsense"}, true},
		{"one network of IPv6", true, []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"}, true},
		{"networks of IPv6", true, []string{"2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaktest.Check(t)
			node, accepted := accepting()
			o := ws.Options{MaxPerAddress: 2}
			if c.trusted {
				o.TrustedProxies = proxies
			}
			_, address := start(t, node, o)
			var last connectors.Conn
			for i, forwarded := range c.forwarded {
				header := http.Header{}
				if forwarded != "" {
					header.Set("X-Forwarded-For", forwarded)
				}
				last = dial(t, address, ws.DialOptions{Header: header})
				if i < 2 {
					defer (<-accepted).Close("")
				}
			}
			if !c.refused {
				(<-accepted).Close("")
				return
			}
			if _, err := last.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "from one address") {
				t.Errorf("one too many: %v", err)
			}
		})
	}
	if _, err := ws.ParseProxies([]string{"example.com"}); err == nil {
		t.Error("a name is no address")
	}
}

// Who has not been answered yet gets no room for a large frame.
func TestOpeningFrame(t *testing.T) {
	leaktest.Check(t)
	_, address := start(t, nodeFunc(echo), ws.Options{OpeningFrame: 1000})
	conn := dial(t, address, ws.DialOptions{})
	for _, size := range []int{1000, 100_000} {
		if err := conn.Send(t.Context(), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if frame, err := conn.Receive(t.Context()); err != nil || len(frame) != size {
			t.Fatalf("%d bytes, %v", len(frame), err)
		}
	}
	conn = dial(t, address, ws.DialOptions{})
	if err := conn.Send(t.Context(), make([]byte, 1001)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Receive(t.Context()); !errors.Is(err, connectors.ErrFrameTooLarge) {
		t.Errorf("a large frame first: %v", err)
	}
}

// A frame that begins ends in time, or its connection does.
func TestFramesEndInTime(t *testing.T) {
	leaktest.Check(t)
	served, address := startReceiver(t, ws.Options{Limits: ws.Limits{ReadTimeout: 20 * time.Millisecond}})
	socket, _, err := websocket.Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	w, err := socket.Writer(t.Context(), websocket.MessageBinary)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // a little now and then, for ever
		_, err = w.Write(make([]byte, 5000))
		select {
		case err = <-served:
		case <-time.After(time.Millisecond):
		}
	}
	if !strings.Contains(err.Error(), "longer than 20ms") {
		t.Errorf("served until %v", err)
	}
}

// Large frames wait for room, and one address cannot take the room of all.
func TestRoomForLargeFrames(t *testing.T) {
	leaktest.Check(t)
	node, accepted := accepting()
	proxies, _ := ws.ParseProxies([]string{"127.0.0.1"})
	_, address := start(t, node, ws.Options{Limits: ws.Limits{MaxFrame: 1 << 20}, ReceiveBytes: 4 << 20, TrustedProxies: proxies, OpeningFrame: 1 << 20})
	large := make([]byte, 1<<20)
	connect := func(from string) (client, server connectors.Conn) {
		client = dial(t, address, ws.DialOptions{Header: http.Header{"X-Forwarded-For": {from}}})
		return client, <-accepted
	}
	send := func(c connectors.Conn) {
		t.Helper()
		if err := c.Send(t.Context(), large); err != nil {
			t.Fatal(err)
		}
	}
	one, first := connect("1.1.1.1")
	two, second := connect("1.1.1.1")
	send(one)
	if _, err := first.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The first is being worked on, and is all that its address gets.
	send(two)
	waits, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := second.Receive(waits); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second large frame of the address: %v", err)
	}
	other, third := connect("2.2.2.2")
	send(other)
	if _, err := third.Receive(t.Context()); err != nil {
		t.Errorf("another address: %v", err)
	}
	// When the first is done with, the second gets its room; and so it is when a connection ends.
	done := make(chan struct{})
	go func() {
		defer close(done)
		first.Receive(t.Context())
	}()
	if _, err := second.Receive(t.Context()); err != nil {
		t.Errorf("when the first is done with: %v", err)
	}
	send(one)
	second.Close("")
	<-done
	for _, c := range []connectors.Conn{first, third} {
		c.Close("")
	}
}

// Pings are answered at a rate of this side's choosing, and who does nothing but ping is given
// up.
func TestPingsAreNotAmplified(t *testing.T) {
	leaktest.Check(t)
	_, address := start(t, nodeFunc(echo), ws.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	write := func(b string) {
		if _, err := conn.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	write("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	in := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; { // the answer's header
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	const mask = "\x00\x00\x00\x00"
	const ping = "\x89\x80" + mask
	write(strings.Repeat(ping, 4000) + "\x82\x81" + mask + "x")
	pongs := 0
	for {
		var header [2]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			t.Fatal(err)
		}
		if header[0] != 0x8a {
			break // what was echoed
		}
		pongs++
	}
	if pongs == 0 || pongs > 2000 {
		t.Errorf("%d of 4,000 pings were answered", pongs)
	}
	for err == nil { // until the server has enough
		_, err = conn.Write([]byte(strings.Repeat(ping, 1000)))
	}
}
