package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// dialer is a dialer made of a function; it notes when it was called.
type dialer struct {
	dial func(ctx context.Context) (connectors.Conn, error)

	mu    sync.Mutex
	times []time.Time
}

func (d *dialer) String() string { return "test" }

func (d *dialer) Dial(ctx context.Context) (connectors.Conn, error) {
	d.mu.Lock()
	d.times = append(d.times, time.Now())
	d.mu.Unlock()
	return d.dial(ctx)
}

func (d *dialer) dials() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.times)
}

func (d *dialer) pauses() (list []time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 1; i < len(d.times); i++ {
		list = append(list, d.times[i].Sub(d.times[i-1]))
	}
	return list
}

var errNetwork = errors.New("the network is down")

func unreachable(context.Context) (connectors.Conn, error) { return nil, errNetwork }

// byHand is a durable node that a test plays by hand.
type byHand struct {
	id     id.NodeID
	system id.EntityID
	ahead  time.Duration // of its clock

	greeting func(*proto.Welcome) // if not nil, changes what a hello is answered with
}

// accept returns a dialer that hands the other end of every connection to serve.
func (s *byHand) accept(t testing.TB, serve func(w *wire)) *dialer {
	return &dialer{dial: func(context.Context) (connectors.Conn, error) {
		client, server := local.Pipe(local.Options{})
		go serve(&wire{t: t, conn: server})
		return client, nil
	}}
}

// welcome answers a hello, and returns it.
func (s *byHand) welcome(w *wire) *proto.Hello {
	b, err := w.conn.Receive(context.Background())
	if err != nil {
		return nil
	}
	f, err := proto.DecodeFrame(b)
	if err != nil {
		return nil
	}
	m := &proto.Welcome{Node: s.id, System: s.system, Time: time.Now().Add(s.ahead).UnixMicro()}
	if s.greeting != nil {
		s.greeting(m)
	}
	_ = w.conn.Send(context.Background(), proto.AppendFrame(nil, m))
	hello, _ := f.(*proto.Hello)
	return hello
}

// listen has a node connect, and returns the connections that it was welcomed on, and all that
// it sends.
func (s *byHand) listen(t testing.TB, n *core.Node) (conns <-chan *wire, frames <-chan proto.Frame) {
	welcomed, sent := make(chan *wire, 10), make(chan proto.Frame, 100)
	n.Dial(s.accept(t, func(w *wire) {
		s.welcome(w)
		w.node = s.id
		welcomed <- w
		for {
			b, err := w.conn.Receive(context.Background())
			if err != nil {
				return
			}
			sent <- must(proto.DecodeFrame(b))
		}
	}), core.DialOptions{})
	return welcomed, sent
}

// connected is listen, and waits for the first connection.
func (s *byHand) connected(t testing.TB, n *core.Node) (w *wire, frames <-chan proto.Frame) {
	conns, frames := s.listen(t, n)
	return <-conns, frames
}

// next waits for the next frame of a kind, and passes over others.
func next[F proto.Frame](frames <-chan proto.Frame) F {
	for {
		if f, ok := (<-frames).(F); ok {
			return f
		}
	}
}

// heard is next among the frames that have come; ok is false if there is none of the kind.
func heard[F proto.Frame](frames <-chan proto.Frame) (f F, ok bool) {
	for len(frames) > 0 {
		if f, ok = (<-frames).(F); ok {
			return f, true
		}
	}
	return f, false
}

func handmade() *byHand {
	return &byHand{id: id.NodeID{ULID: id.New(nil)}, system: id.EntityID{ULID: id.New(nil)}}
}

// TestBackoff is 286 and 289: pauses between attempts grow, are jittered and bounded;
// Retry ends one, Close all.
func TestBackoff(t *testing.T) {
	limits := core.Limits{Backoff: time.Second, MaxBackoff: 30 * time.Second}
	check := func(t *testing.T, pauses []time.Duration) {
		t.Helper()
		most, distinct := time.Second, map[time.Duration]bool{}
		for i, p := range pauses {
			if p < most/2 || p > most {
				t.Errorf("pause %d is %v, not between %v and %v", i, p, most/2, most)
			}
			distinct[p] = true
			most = min(2*most, 30*time.Second)
		}
		if len(distinct) < len(pauses)-2 {
			t.Errorf("pauses %v do not look random", pauses)
		}
	}
	t.Run("unreachable", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, d := open(t, core.Options{Limits: limits}), &dialer{dial: unreachable}
			link := n.Dial(d, core.DialOptions{})
			time.Sleep(10 * time.Minute)
			check(t, d.pauses())
			if s := n.Status(); s.Connection != core.Offline || !errors.Is(s.LastError, errNetwork) {
				t.Errorf("status %+v", s)
			}
			before := d.dials()
			for range 3 {
				link.Retry()
				synctest.Wait()
			}
			if got := d.dials() - before; got != 3 {
				t.Errorf("%d attempts for three retries", got)
			}
			link.Close()
			synctest.Wait()
			before = d.dials()
			time.Sleep(time.Hour)
			if got := d.dials() - before; got > 0 || n.Status().LastError != nil {
				t.Errorf("%d attempts after it was closed, %v", got, n.Status().LastError)
			}
		})
	})
	t.Run("refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := open(t, core.Options{Durable: true}) // without a system
			n := open(t, core.Options{Limits: limits})
			d := &dialer{dial: local.NewDialer(server, local.Options{}).Dial}
			n.Dial(d, core.DialOptions{})
			time.Sleep(10 * time.Minute)
			check(t, d.pauses())
			if s := n.Status(); core.KindOf(s.LastError) != core.KindNotReady || s.Ready {
				t.Errorf("status %+v", s)
			}
		})
	})
	t.Run("served and lost at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, s := open(t, core.Options{Limits: limits}), handmade()
			d := s.accept(t, func(w *wire) {
				s.welcome(w)
				w.conn.Close("lost")
			})
			n.Dial(d, core.DialOptions{})
			time.Sleep(10 * time.Minute)
			check(t, d.pauses())
		})
	})
	t.Run("shortest again after a lasting connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := durable(t, core.Options{})
			inner := local.NewDialer(server, local.Options{})
			var up atomic.Bool
			conns := make(chan connectors.Conn, 1)
			d := &dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
				if !up.Load() {
					return nil, errNetwork
				}
				conn, err := inner.Dial(ctx)
				select {
				case conns <- conn:
				default:
				}
				return conn, err
			}}
			n := open(t, core.Options{Limits: limits})
			n.Dial(d, core.DialOptions{})
			time.Sleep(5 * time.Minute)
			up.Store(true)
			time.Sleep(5 * time.Minute)
			if n.Status().Connection != core.Live {
				t.Fatal("not connected")
			}
			before := d.dials()
			(<-conns).Close("lost")
			time.Sleep(time.Second)
			if d.dials() != before+1 || n.Status().Connection != core.Live {
				t.Errorf("%d attempts within a second, %v", d.dials()-before, n.Status())
			}
		})
	})
}

// TestHandshakeDeadlines is 284: whoever is silent at the beginning is given up.
func TestHandshakeDeadlines(t *testing.T) {
	t.Run("a silent server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, s := open(t, core.Options{Limits: core.Limits{Handshake: 7 * time.Second}}), handmade()
			d := s.accept(t, func(*wire) {})
			began := time.Now()
			n.Dial(d, core.DialOptions{})
			for n.Status().LastError == nil {
				time.Sleep(time.Second)
			}
			if took := time.Since(began); took < 7*time.Second || took > 9*time.Second || core.KindOf(n.Status().LastError) != core.KindDeadline {
				t.Errorf("after %v: %v", took, n.Status().LastError)
			}
		})
	})
	t.Run("a dial that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := open(t, core.Options{Limits: core.Limits{Handshake: 7 * time.Second}})
			n.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, core.DialOptions{})
			if s := n.Status(); s.Connection != core.Connecting {
				t.Errorf("at first: %v", s)
			}
			time.Sleep(8 * time.Second)
			if s := n.Status(); !errors.Is(s.LastError, context.DeadlineExceeded) {
				t.Errorf("later: %+v", s)
			}
		})
	})
	t.Run("a silent client", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := durable(t, core.Options{Limits: core.Limits{Handshake: 7 * time.Second}})
			began := time.Now()
			w, served := raw(t, server)
			err := <-served
			if took := time.Since(began); took != 7*time.Second || core.KindOf(err) != core.KindDeadline {
				t.Errorf("after %v: %v", took, err)
			}
			if m, ok := w.receive().(*proto.Refuse); !ok || m.Kind != uint64(core.KindDeadline) {
				t.Errorf("told %v", m)
			}
		})
	})
	t.Run("silent after the hello", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := durable(t, core.Options{Limits: core.Limits{Ping: 10 * time.Second}})
			_, served := greeted(t, server)
			began := time.Now()
			err := <-served
			if took := time.Since(began); took != 30*time.Second || core.KindOf(err) != core.KindDeadline {
				t.Errorf("after %v: %v", took, err)
			}
		})
	})
	t.Run("a server that falls silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, s := open(t, core.Options{Limits: core.Limits{Ping: 10 * time.Second}}), handmade()
			n.Dial(s.accept(t, func(w *wire) { s.welcome(w) }), core.DialOptions{})
			synctest.Wait()
			if n.Status().Connection != core.Live {
				t.Fatal("not connected")
			}
			time.Sleep(20*time.Second + time.Millisecond)
			if st := n.Status(); core.KindOf(st.LastError) != core.KindDeadline {
				t.Errorf("%+v", st)
			}
		})
	})
	t.Run("an idle connection lives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := durable(t, core.Options{})
			a := connected(t, server, core.Options{})
			lost := 0
			defer a.OnStatus(func(s core.Status) {
				if s.Connection != core.Live {
					lost++
				}
			})()
			time.Sleep(24 * time.Hour)
			if lost > 0 || server.Peers() != 1 {
				t.Errorf("lost %d times", lost)
			}
		})
	})
}

// TestRequestDeadline is 276 and 271: a request that is not answered ends with the
// deadline, one whose connection ends, at once; late answers harm nothing.
func TestRequestDeadline(t *testing.T) {
	wanted := id.EntityID{ULID: id.New(nil)}
	client := func(t *testing.T, d connectors.Dialer) *core.Node {
		n := openAlbums(t, core.Options{Limits: core.Limits{Request: 5 * time.Second}})
		n.Dial(d, core.DialOptions{})
		synctest.Wait()
		return n
	}
	t.Run("no answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := handmade()
			n := client(t, s.accept(t, func(w *wire) {
				s.welcome(w)
				for {
					b, err := w.conn.Receive(context.Background())
					if err != nil {
						return
					}
					f, _ := proto.DecodeFrame(b)
					if m, ok := f.(*proto.Get); ok {
						time.Sleep(20 * time.Second)
						_ = w.conn.Send(context.Background(), proto.AppendFrame(nil, &proto.Rows{Sub: m.Request, Collection: "album", Complete: true, Done: true}))
					}
				}
			}))
			began := time.Now()
			_, err := anonymous(n).Get(t.Context(), "album", wanted)
			if took := time.Since(began); took != 5*time.Second || core.KindOf(err) != core.KindDeadline && core.KindOf(err) != core.KindOffline {
				t.Errorf("after %v: %v", took, err)
			}
			time.Sleep(time.Minute)
		})
	})
	t.Run("the connection ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := handmade()
			n := client(t, s.accept(t, func(w *wire) {
				s.welcome(w)
				for {
					b, err := w.conn.Receive(context.Background())
					if err != nil {
						return
					}
					f, _ := proto.DecodeFrame(b)
					if _, ok := f.(*proto.Get); ok {
						w.conn.Close("gone")
					}
				}
			}))
			began := time.Now()
			_, err := anonymous(n).Get(t.Context(), "album", wanted)
			if took := time.Since(began); took != 0 || !errors.Is(err, core.ErrOffline) {
				t.Errorf("after %v: %v", took, err)
			}
		})
	})
	t.Run("the caller's own deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := handmade()
			n := client(t, s.accept(t, func(w *wire) { s.welcome(w) }))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := anonymous(n).Get(ctx, "album", wanted); core.KindOf(err) != core.KindDeadline {
				t.Errorf("get: %v", err)
			}
			if _, err := anonymous(n).Fetch(ctx, "album", selection(t, "")); core.KindOf(err) != core.KindDeadline {
				t.Errorf("fetch: %v", err)
			}
		})
	})
}

// TestStatusSequence is 288: what a client's status shows over a server's restart.
func TestStatusSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := memory.NewDisk()
		var server atomic.Pointer[core.Node]
		server.Store(durable(t, core.Options{Engine: disk.Open()}))
		n := openAlbums(t, core.Options{})
		var seen []string
		var mu sync.Mutex
		defer n.OnStatus(func(s core.Status) {
			mu.Lock()
			defer mu.Unlock()
			if text := s.Connection.String(); len(seen) == 0 || seen[len(seen)-1] != text {
				seen = append(seen, text)
			}
		})()
		n.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
			return local.NewDialer(server.Load(), local.Options{}).Dial(ctx)
		}}, core.DialOptions{})
		q := watch(t, n, "album", "")
		r := record(t, q)
		time.Sleep(time.Second)
		create(t, n, "before", 1)
		time.Sleep(time.Second)

		server.Load().Close()
		time.Sleep(time.Minute)
		if n.Status().Connection != core.Offline || q.Status() != core.QueryLocal || n.Status().LastError == nil {
			t.Errorf("while the server is down: %+v, %v", n.Status(), q.Status())
		}
		create(t, n, "meanwhile", 2)
		server.Store(open(t, core.Options{Engine: disk.Open(), Durable: true}))
		time.Sleep(time.Minute)
		if n.Status().Connection != core.Live || q.Status() != core.QueryLive || n.Status().Pending != 0 || n.Status().LastError != nil {
			t.Errorf("when it is back: %+v, %v", n.Status(), q.Status())
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(seen, []string{"connecting", "live", "offline", "live"}) {
			t.Errorf("saw %v", seen)
		}
		if got := r.shown(); got != "before meanwhile" { // 272: nothing twice
			t.Errorf("shows %q", got)
		}
	})
}

// TestAnotherSystem is 297: a cache that belongs to another system is dropped, unless it
// holds what only this node knows; then the system is refused.
func TestAnotherSystem(t *testing.T) {
	one, two := durable(t, core.Options{}), durable(t, core.Options{})
	create(t, one, "one", 1)
	create(t, two, "two", 2)
	disk := memory.NewDisk()
	limits := core.Limits{Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
	a := connected(t, one, core.Options{Engine: disk.Open(), Limits: limits})
	q := watch(t, a, "album", "")
	shows(t, q, "one ")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	a.Close()

	a = open(t, core.Options{Engine: disk.Open(), Limits: limits})
	q = watch(t, a, "album", "")
	r := record(t, q)
	if got := rowNames(q, "name"); got != "one" {
		t.Fatalf("offline it shows %q", got)
	}
	link := local.Connect(two, a)
	shows(t, q, "two ")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	if r.shown() != "two" {
		t.Errorf("by change sets %q", r.shown())
	}
	if root, _ := a.System(); root != must2(two.System()) {
		t.Error("it did not join the other system")
	}
	asStored(t, a, disk)

	link.Close()
	eventually(t, "offline", func() bool { return a.Status().Connection == core.Offline })
	create(t, a, "own", 3)
	link = local.Connect(one, a)
	eventually(t, "refused", func() bool { return errors.Is(a.Status().LastError, core.ErrSystem) })
	if core.KindOf(a.Status().LastError) != core.KindSystemMismatch || rowNames(q, "name") != "two own" || a.Status().Pending != 1 {
		t.Errorf("shows %q, %+v", rowNames(q, "name"), a.Status())
	}
	link.Close()
	local.Connect(two, a)
	eventually(t, "delivered", func() bool { return a.Status().Pending == 0 && a.Status().Connection == core.Live })
	shows(t, watch(t, two, "album", "ORDER BY year"), "two own ")
}

func must2[T any](v T, ok bool) T {
	if !ok {
		panic("missing")
	}
	return v
}

// TestClockOffset: a client corrects its clock by the server's, remembers that, and what
// it commits afterwards is accepted, also when the clock had been far ahead.
func TestClockOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{})
		disk := memory.NewDisk()
		a := openAlbums(t, core.Options{Engine: disk.Open()})
		// The server's clock is right; this one answers for it and is 90 minutes ahead.
		wrong := &byHand{id: server.ID(), system: must2(server.System()), ahead: 90 * time.Minute}
		link := a.Dial(wrong.accept(t, func(w *wire) { wrong.welcome(w) }), core.DialOptions{})
		synctest.Wait()
		ahead := func(n *core.Node) time.Duration { return time.Until(n.Now()).Round(time.Second) }
		if ahead(a) != 90*time.Minute {
			t.Fatalf("learnt %v", ahead(a))
		}
		link.Close()
		a.Close()

		a = open(t, core.Options{Engine: disk.Open()})
		if ahead(a) != 90*time.Minute {
			t.Fatalf("remembers %v", ahead(a))
		}
		q := watch(t, a, "album", "")
		early := add(t, a, "album", "name", "early")
		tx := anonymous(a).Begin()
		if err := tx.Set(t.Context(), "album", early, with("name", "earlier")); err != nil {
			t.Fatal(err)
		}
		edit := commit(t, tx)
		local.Connect(server, a)
		time.Sleep(time.Second)
		if err := edit.Synced(t.Context()); core.KindOf(err) != core.KindDependsOnRefused {
			t.Errorf("what was made 90 minutes ahead: %v", err)
		}
		list, err := a.Rejections(t.Context())
		if err != nil || len(list) != 2 || list[0].Kind != core.KindClockDrift {
			t.Errorf("%v, %v", list, err)
		}
		if ahead(a) != 0 {
			t.Errorf("is %v ahead after the correction", ahead(a))
		}
		tx = anonymous(a).Begin()
		if _, err := tx.Create(t.Context(), "album", with("name", "now")); err != nil {
			t.Fatal(err)
		}
		if err := commit(t, tx).Synced(t.Context()); err != nil {
			t.Errorf("what is made with the right clock: %v", err)
		}
		if got := rowNames(q, "name"); got != "now" {
			t.Errorf("shows %q", got)
		}
	})
}

// TestOutboxLimit: what waits for a durable node is bounded; a commit beyond it is refused
// and not shown.
func TestOutboxLimit(t *testing.T) {
	disk := memory.NewDisk()
	a := openAlbums(t, core.Options{Engine: disk.Open(), Limits: core.Limits{Pending: 3}})
	r := record(t, watch(t, a, "album", ""))
	for i := range 3 {
		create(t, a, fmt.Sprint(i), 1)
	}
	tx := anonymous(a).Begin()
	if _, err := tx.Create(t.Context(), "album", with("name", "too many")); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); core.KindOf(err) != core.KindLimit {
		t.Errorf("commit: %v", err)
	}
	if r.shown() != "0 1 2" || a.Status().Pending != 3 {
		t.Errorf("shows %q, %+v", r.shown(), a.Status())
	}
	server := durable(t, core.Options{})
	local.Connect(server, a)
	eventually(t, "delivered", func() bool { return a.Status().Pending == 0 })
	create(t, a, "3", 1)
	eventually(t, "delivered", func() bool { return a.Status().Pending == 0 })
	asStored(t, a, disk)
}

// TestPendingFlag: views say that they show what no durable node has acknowledged, and
// cease to when it has.
func TestPendingFlag(t *testing.T) {
	server := durable(t, core.Options{})
	a := connected(t, server, core.Options{})
	q := watch(t, a, "album", "")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	var mu sync.Mutex
	var flags []string
	defer q.Subscribe(func(c *core.ChangeSet) {
		mu.Lock()
		defer mu.Unlock()
		for _, x := range c.Changes {
			flags = append(flags, fmt.Sprint(x.Kind, " ", x.View.Pending()))
		}
	})()
	e := create(t, a, "a", 1)
	eventually(t, "acknowledged", func() bool { return len(q.Rows()) == 1 && !q.Rows()[0].Pending() })
	synced(t, put(t, a, "album", e, "name", "b"))
	eventually(t, "acknowledged again", func() bool { return !q.Rows()[0].Pending() })
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(flags, []string{"added true", "updated false", "updated true", "updated false"}) {
		t.Errorf("%v", flags)
	}
}

// TestReceipts: Synced waits while offline, and ends with its context or the node.
func TestReceipts(t *testing.T) {
	a := openAlbums(t, core.Options{})
	tx := anonymous(a).Begin()
	if _, err := tx.Create(t.Context(), "album", with("name", "a")); err != nil {
		t.Fatal(err)
	}
	receipt := commit(t, tx)
	if receipt.Transaction() != tx.ID() {
		t.Error("another transaction's receipt")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := receipt.Synced(ended); core.KindOf(err) != core.KindDeadline {
		t.Errorf("%v", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- receipt.Synced(t.Context()) }()
	a.Close()
	if err := <-waiting; core.KindOf(err) != core.KindClosed {
		t.Errorf("%v", err)
	}
}

// TestSecondLink: a node has one connection at a time; a further link takes over when the
// first is closed.
func TestSecondLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{})
		a := open(t, core.Options{})
		first := local.Connect(server, a)
		synctest.Wait()
		second := local.Connect(server, a)
		time.Sleep(time.Minute)
		if server.Peers() != 1 || a.Status().Connection != core.Live {
			t.Errorf("%d connections, %+v", server.Peers(), a.Status())
		}
		first.Close()
		time.Sleep(time.Minute)
		if server.Peers() != 1 || a.Status().Connection != core.Live {
			t.Errorf("%d connections, %+v", server.Peers(), a.Status())
		}
		second.Close()
		time.Sleep(time.Second)
		if server.Peers() != 0 || a.Status().Connection != core.Offline {
			t.Errorf("%d connections, %+v", server.Peers(), a.Status())
		}
	})
}

// TestCredentials: a link presents them, also changed ones; a refusal is told in words.
func TestCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := &scripted{Agent: policy.Permissive()}
		agent.authenticate = func(c string) (policy.Principal, error) {
			if c != "right" {
				return policy.Principal{}, policy.Denied("%q is not the word", c)
			}
			return policy.Principal{Name: "ann"}, nil
		}
		server := durable(t, core.Options{Policy: agent})
		a := openAlbums(t, core.Options{})
		link := a.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{Credentials: []byte("wrong")})
		time.Sleep(time.Second)
		if err := a.Status().LastError; core.KindOf(err) != core.KindDenied || !errorContains(err, "wrong") {
			t.Errorf("%v", err)
		}
		link.SetCredentials([]byte("right"))
		link.Retry()
		synctest.Wait()
		if a.Status().Connection != core.Live {
			t.Fatalf("%+v", a.Status())
		}
		e := create(t, a, "a", 1)
		time.Sleep(time.Second)
		if a.Status().Pending != 0 {
			t.Errorf("%+v", a.Status())
		}
		if v, err := anonymous(server).Get(t.Context(), "album", e); err != nil {
			t.Errorf("%v, %v", v, err)
		}
	})
}

func errorContains(err error, text string) bool {
	return err != nil && len(text) > 0 && slices.Contains(splitWords(err.Error()), text)
}

func splitWords(s string) (words []string) {
	word := ""
	for _, r := range s {
		if r == ' ' || r == '"' || r == ':' || r == ',' {
			words, word = append(words, word), ""
			continue
		}
		word += string(r)
	}
	return append(words, word)
}

// TestSlowPeer is 277: a peer that stops reading costs a bounded amount and nobody else
// anything; when it reads again it is brought up to date.
func TestSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const edits = 5000
		server := durable(t, core.Options{Limits: core.Limits{SendQueue: 8}})
		other := connected(t, server, core.Options{})
		q := watch(t, other, "album", "")
		var rows []id.EntityID
		for i := range 20 {
			rows = append(rows, create(t, server, fmt.Sprint(i), int64(i)))
		}
		w, _ := greeted(t, server)
		w.send(&proto.Subscribe{Sub: 1, Collection: "album"})
		w.send(&proto.Subscribe{Sub: 2, Collection: "album", Text: "ORDER BY year LIMIT 3"})
		synctest.Wait()
		var alive sync.WaitGroup
		defer alive.Wait()
		alive.Go(func() { // it is alive, and takes nothing
			for range 3 {
				time.Sleep(time.Second)
				_ = w.conn.Send(context.Background(), proto.AppendFrame(nil, &proto.Ping{}))
			}
		})
		began := time.Now()
		for i := range edits {
			put(t, server, "album", rows[i%20], "name", fmt.Sprint("edit ", i))
			if i == edits/2 {
				remove(t, server, "album", rows[0])
				restore(t, server, "album", rows[0])
				if err := server.Register(t.Context(), pet); err != nil {
					t.Fatal(err)
				}
			}
		}
		if time.Since(began) != 0 {
			t.Errorf("the others waited for it: %v", time.Since(began))
		}
		synctest.Wait()
		if got, want := states(t, other, "album"), states(t, server, "album"); got != want || len(q.Rows()) != 20 {
			t.Error("the other client is not up to date")
		}

		frames, told := 0, false
		have := map[id.EntityID]string{}
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			b, err := w.conn.Receive(ctx)
			cancel()
			if err != nil {
				break
			}
			frames++
			f, err := proto.DecodeFrame(b)
			if err != nil {
				t.Fatal(err)
			}
			switch m := f.(type) {
			case *proto.Catalog:
				told = told || slices.ContainsFunc(m.Models, func(m *schema.Model) bool { return m.Collection == "pet" })
			case *proto.Rows:
				for _, row := range m.Rows {
					have[row.Entity] = row.State.Field("name").String()
				}
			case *proto.Update:
				for _, c := range m.Changes {
					for _, p := range c.Properties {
						if p.Name == "name" {
							have[c.Entity] = p.Value.String()
						}
					}
				}
			}
		}
		if frames > 200 {
			t.Errorf("%d frames were kept for it", frames)
		}
		if !told {
			t.Error("it was not told of the new model")
		}
		for i, e := range rows {
			if want := fmt.Sprintf("%q", fmt.Sprint("edit ", edits-20+i)); have[e] != want {
				t.Errorf("row %d is %s, want %s", i, have[e], want)
			}
		}
	})
}

// TestSlowClientCatchesUp is the same for a whole client behind a slow connection: live
// results end where the server's are, and so does what it remembers.
func TestSlowClientCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{SendQueue: 4}})
		disk := memory.NewDisk()
		a := openAlbums(t, core.Options{Engine: disk.Open()})
		inner := local.NewDialer(server, local.Options{Queue: 1})
		var slow atomic.Pointer[slowConn]
		a.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
			conn, err := inner.Dial(ctx)
			slow.Store(&slowConn{Conn: conn, pause: 50 * time.Millisecond})
			return slow.Load(), err
		}}, core.DialOptions{})
		texts := []string{"", "year > 500", "ORDER BY year DESC LIMIT 5", "name = 'x'"}
		var queries []*core.LiveQuery
		for _, text := range texts {
			queries = append(queries, watch(t, a, "album", text))
		}
		var rows []id.EntityID
		for i := range 300 {
			rows = append(rows, create(t, server, "x", int64(i*10%1000)))
			if i%3 == 0 {
				put(t, server, "album", rows[i/2/10*10], "year", i, "name", "y")
			}
			if i%10 == 9 {
				remove(t, server, "album", rows[i-5+1])
			}
			time.Sleep(7 * time.Millisecond)
			if i == 150 {
				queries = append(queries, watch(t, a, "album", "year < 300"))
				texts = append(texts, "year < 300")
			}
			if i == 200 || i == 280 {
				slow.Load().Close("lost in the middle of it")
			}
		}
		time.Sleep(10 * time.Minute)
		for i, q := range queries {
			if got, want := rowIDs(q.Rows()), rowIDs(must(anonymous(server).Fetch(t.Context(), "album", selection(t, texts[i])))); !slices.Equal(got, want) || q.Status() != core.QueryLive {
				t.Errorf("%q: %v, %d rows, want %d", texts[i], q.Status(), len(got), len(want))
			}
		}
		asStored(t, a, disk)
	})
}

func rowIDs(rows []*core.View) (list []string) {
	for _, v := range rows {
		list = append(list, fmt.Sprint(v.ID(), v.State().Head))
	}
	return list
}

// slowConn takes its time to receive.
type slowConn struct {
	connectors.Conn
	pause time.Duration
}

func (c *slowConn) Receive(ctx context.Context) ([]byte, error) {
	time.Sleep(c.pause)
	return c.Conn.Receive(ctx)
}

// TestGreedyPeer: requests of a peer that takes no answers are not read without end.
func TestGreedyPeer(t *testing.T) {
	for label, request := range map[string]func(i uint64, w *wire) proto.Frame{
		"pings":         func(uint64, *wire) proto.Frame { return &proto.Ping{} },
		"subscriptions": func(i uint64, _ *wire) proto.Frame { return &proto.Subscribe{Sub: i, Collection: "none"} },
		"registrations": func(i uint64, _ *wire) proto.Frame {
			return &proto.Register{Request: i, Models: []*schema.Model{album}}
		},
		"gets": func(i uint64, w *wire) proto.Frame {
			return &proto.Get{Request: i, Collection: "album", Entities: []id.EntityID{{ULID: w.node.ULID}}}
		},
		"commits": func(_ uint64, w *wire) proto.Frame { return w.commit(w.creation("album", with("name", "x"))) },
	} {
		t.Run(label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := durable(t, core.Options{Limits: core.Limits{SendQueue: 16, CommitQueue: 16, Ping: 10 * time.Second}})
				w, served := greeted(t, server)
				ctx, cancel := context.WithCancel(t.Context())
				sent, done := 0, make(chan struct{})
				go func() {
					defer close(done)
					for i := range uint64(100_000) {
						if w.conn.Send(ctx, proto.AppendFrame(nil, request(i, w))) != nil {
							return
						}
						sent++
					}
				}()
				synctest.Wait()
				time.Sleep(40 * time.Second)
				if err := <-served; core.KindOf(err) != core.KindDeadline {
					t.Errorf("it ended with %v", err)
				}
				cancel()
				<-done
				if sent > 600 {
					t.Errorf("%d requests were read", sent)
				}
				if server.Peers() != 0 {
					t.Error("it is still served")
				}
			})
		})
	}
}

// TestAnswerInPartsDoesNotBringBack: rows of a long answer are shown together at its end,
// as they are then: what was changed or deleted here meanwhile is not shown as it came.
func TestAnswerInPartsDoesNotBringBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		a := openAlbums(t, core.Options{})
		w, frames := s.connected(t, a)
		q := watch(t, a, "album", "year > 0 ORDER BY year")
		other := record(t, watch(t, a, "album", "year = 77"))
		r := record(t, q)
		sub := next[*proto.Subscribe](frames)
		var rows []proto.Row
		for i := range 4 {
			e := w.creation("album", with("name", fmt.Sprint(i), "year", i+1))
			rows = append(rows, proto.Row{Entity: e.Entity, Rev: 1, State: must(entity.Apply(nil, e))})
		}
		w.send(&proto.Rows{Sub: sub.Sub, Collection: "album", Complete: true, Rows: rows[:3]})
		synctest.Wait()
		r.want()
		remove(t, a, "album", rows[0].Entity)
		put(t, a, "album", rows[1].Entity, "year", 77)
		r.want("added 1")
		other.want("added 1")
		put(t, a, "album", rows[1].Entity, "year", 5)
		other.want("removed 1")
		w.send(&proto.Rows{Sub: sub.Sub, Collection: "album", Complete: true, Rows: rows[3:], Done: true})
		synctest.Wait()
		if got := rowNames(q, "name"); got != "2 3 1" || r.shown() != got {
			t.Errorf("shows %q, by change sets %q", got, r.shown())
		}
	})
}

// A link that is closed before it has tried to connect leaves its node offline, not on the way
// to a connection that nobody makes: who waits for an answer gets what is here.
func TestLinkClosedAtOnce(t *testing.T) {
	server := durable(t, core.Options{})
	n := openAlbums(t, core.Options{})
	for range 100 {
		local.Connect(server, n).Close()
		eventually(t, "offline", func() bool { return n.Status().Connection == core.Offline })
	}
	if rows, err := anonymous(n).Fetch(t.Context(), "album", selection(t, "")); err != nil || len(rows) != 0 {
		t.Errorf("offline: %v, %v", rows, err)
	}
}
