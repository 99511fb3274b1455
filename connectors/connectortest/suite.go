package connectortest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

// Options are what a case wants of the pair that it is given.
type Options struct {
	// MaxFrame is the frame limit of both ends.
	MaxFrame int
}

// Connect makes a connected pair for one case. What it starts besides the two ends it
// stops by t.Cleanup; the kit closes the ends.
type Connect func(t testing.TB, o Options) (client, server connectors.Conn)

// buffered bounds what a connection with everything between its ends may hold:
// its own queues, and the socket buffers of the operating system.
const buffered = 64 << 20

// patience bounds a failing run only; no passing case waits for it.
const patience = 30 * time.Second

// Run checks a connector against the contract of connectors.Conn.
func Run(t *testing.T, connect Connect) {
	t.Run("in order and whole, both ways at once", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		up, down := frames(1, 500, 4096), frames(2, 500, 4096)
		sent := make(chan error, 2)
		go func() { sent <- sendAll(p.ctx, p.client, up) }()
		go func() { sent <- sendAll(p.ctx, p.server, down) }()
		received := make(chan error, 1)
		go func() { received <- expect(p.ctx, p.server, up) }()
		check(t, expect(p.ctx, p.client, down))
		check(t, <-received)
		check(t, <-sent)
		check(t, <-sent)
	})

	t.Run("an empty frame and the largest", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 3 << 20})
		want := [][]byte{{}, random(3<<20, 3), {}, {7}}
		go sendAll(p.ctx, p.client, want)
		check(t, expect(p.ctx, p.server, want))
	})

	t.Run("a received frame belongs to the receiver", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		go sendAll(p.ctx, p.client, [][]byte{[]byte("first"), []byte("second")})
		first, err := p.server.Receive(p.ctx)
		check(t, err)
		if _, err = p.server.Receive(p.ctx); err != nil || string(first) != "first" {
			t.Errorf("after the second frame (%v) the first is %q", err, first)
		}
	})

	t.Run("a frame over the limit is refused and ends the connection", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1000})
		if err := p.client.Send(p.ctx, make([]byte, 1001)); !errors.Is(err, connectors.ErrFrameTooLarge) {
			t.Errorf("Send of 1001 bytes with a limit of 1000: %v, want ErrFrameTooLarge", err)
		}
		if _, err := p.server.Receive(p.ctx); err == nil || p.ctx.Err() != nil {
			t.Errorf("the other end received something after it: %v", err)
		}
		if err := p.client.Send(p.ctx, nil); err == nil {
			t.Error("Send works after a frame that was too large")
		}
	})

	t.Run("a full queue blocks Send until its context ends, and loses nothing", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		sent := 0
		for ; ; sent++ {
			ctx, cancel := context.WithTimeout(p.ctx, 100*time.Millisecond)
			err := p.client.Send(ctx, numbered(sent, 256<<10))
			cancel()
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Send to a peer that does not receive: %v, want its context's error", err)
				}
				break
			}
			if sent*(256<<10) > buffered {
				t.Fatalf("%d bytes were accepted while nobody received", sent*(256<<10))
			}
		}
		for i := range sent {
			frame, err := p.server.Receive(p.ctx)
			check(t, err)
			if !bytes.Equal(frame, numbered(i, 256<<10)) {
				t.Fatalf("frame %d of %d is another one", i, sent)
			}
		}
		check(t, p.client.Send(p.ctx, []byte("again")))
		check(t, expect(p.ctx, p.server, [][]byte{[]byte("again")}))
	})

	t.Run("what was sent before Close arrives, then the end with its reason", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		want := frames(4, 20, 100)
		check(t, sendAll(p.ctx, p.client, want))
		check(t, p.client.Close("the reason"))
		check(t, expect(p.ctx, p.server, want))
		_, err := p.server.Receive(p.ctx)
		if !errors.Is(err, connectors.ErrClosed) || !strings.Contains(err.Error(), "the reason") {
			t.Errorf("after the last frame: %v, want ErrClosed and the reason", err)
		}
	})

	t.Run("the server's reason reaches the client too, cut to its limit", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		check(t, p.server.Close(strings.Repeat("ä", 300)))
		_, err := p.client.Receive(p.ctx)
		if !errors.Is(err, connectors.ErrClosed) || !strings.Contains(err.Error(), strings.Repeat("ä", connectors.MaxReason/2)) {
			t.Errorf("Receive: %v, want ErrClosed and 120 bytes of the reason", err)
		}
	})

	t.Run("Send fails once the peer has closed", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		check(t, p.server.Close("bye"))
		for p.ctx.Err() == nil {
			if err := p.client.Send(p.ctx, []byte("late")); err != nil {
				return
			}
		}
		t.Error("Send keeps working although the peer has closed")
	})

	t.Run("Close ends pending calls, and those that come after it", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		calls := make(chan error, 2)
		go func() {
			_, err := p.client.Receive(p.ctx)
			calls <- err
		}()
		go func() {
			var err error
			for err == nil { // until the queue is full, and further
				err = p.client.Send(p.ctx, make([]byte, 1<<20))
			}
			calls <- err
		}()
		check(t, p.client.Close(""))
		for range 2 {
			if err := <-calls; !errors.Is(err, connectors.ErrClosed) {
				t.Errorf("a pending call: %v, want ErrClosed", err)
			}
		}
		if err := p.client.Send(p.ctx, nil); !errors.Is(err, connectors.ErrClosed) {
			t.Errorf("Send after Close: %v, want ErrClosed", err)
		}
		if _, err := p.client.Receive(p.ctx); !errors.Is(err, connectors.ErrClosed) {
			t.Errorf("Receive after Close: %v, want ErrClosed", err)
		}
	})

	t.Run("Close is harmless twice, and from both ends at once", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		closed := make(chan struct{})
		go func() {
			p.server.Close("server")
			close(closed)
		}()
		p.client.Close("client")
		p.client.Close("client again")
		<-closed
		p.server.Close("server again")
	})

	t.Run("Receive and Send end with their context", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		ctx, cancel := context.WithCancel(p.ctx)
		received := make(chan error, 1)
		go func() {
			_, err := p.client.Receive(ctx)
			received <- err
		}()
		cancel()
		if err := <-received; !errors.Is(err, context.Canceled) {
			t.Errorf("Receive: %v, want context.Canceled", err)
		}
		if err := p.client.Send(ctx, []byte("x")); err == nil {
			t.Error("Send succeeds with a context that has ended")
		}
	})

	t.Run("both ends say who the other is", func(t *testing.T) {
		p := newPair(t, connect, Options{MaxFrame: 1 << 20})
		if p.client.Remote() == "" || p.server.Remote() == "" {
			t.Errorf("Remote() is %q and %q", p.client.Remote(), p.server.Remote())
		}
	})
}

// RunDialer checks what connectors.Dialer adds: dial works several times, and ends
// with its context. The dialer's peer accepts connections and keeps them.
func RunDialer(t *testing.T, newDialer func(t testing.TB) connectors.Dialer) {
	t.Run("dial several times", func(t *testing.T) {
		leaktest.Check(t)
		d := newDialer(t)
		if d.String() == "" {
			t.Error("String() is empty")
		}
		for range 3 {
			conn, err := d.Dial(t.Context())
			check(t, err)
			check(t, conn.Close(""))
		}
	})
	t.Run("dial with a context that has ended", func(t *testing.T) {
		leaktest.Check(t)
		d := newDialer(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if conn, err := d.Dial(ctx); err == nil {
			conn.Close("")
			t.Error("Dial succeeded")
		}
	})
}

// pair is what a case works with: two ends, and a context that bounds it.
type pair struct {
	client, server connectors.Conn
	ctx            context.Context
}

func newPair(t *testing.T, connect Connect, o Options) pair {
	leaktest.Check(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	client, server := connect(t, o)
	t.Cleanup(func() {
		client.Close("the test is over")
		server.Close("the test is over")
		cancel()
	})
	return pair{client: client, server: server, ctx: ctx}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sendAll(ctx context.Context, conn connectors.Conn, frames [][]byte) error {
	for i, frame := range frames {
		if err := conn.Send(ctx, bytes.Clone(frame)); err != nil {
			return fmt.Errorf("send frame %d of %d: %w", i, len(frames), err)
		}
	}
	return nil
}

func expect(ctx context.Context, conn connectors.Conn, want [][]byte) error {
	for i := range want {
		got, err := conn.Receive(ctx)
		if err != nil {
			return fmt.Errorf("receive frame %d of %d: %w", i, len(want), err)
		}
		if !bytes.Equal(got, want[i]) {
			return fmt.Errorf("frame %d: got %d bytes, want the %d that were sent", i, len(got), len(want[i]))
		}
	}
	return nil
}

// frames returns n frames of random sizes up to size, the same for the same seed.
func frames(seed uint64, n, size int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([][]byte, n)
	for i := range out {
		out[i] = random(r.IntN(size+1), r.Uint64())
	}
	return out
}

func random(size int, seed uint64) []byte {
	b := make([]byte, size)
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	rand.NewChaCha8(key).Read(b)
	return b
}

// numbered returns a frame that tells its number at both ends, and does not compress.
func numbered(n, size int) []byte {
	b := random(size, uint64(n))
	binary.LittleEndian.PutUint64(b, uint64(n))
	binary.LittleEndian.PutUint64(b[size-8:], uint64(n))
	return b
}
