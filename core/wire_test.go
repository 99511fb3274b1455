package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// wire is a peer that speaks the protocol by hand, honestly or not.
type wire struct {
	t    testing.TB
	conn connectors.Conn
	node id.NodeID
	next int64 // of nonces
}

// raw connects a wire to a node without saying hello; served is the outcome of Serve.
func raw(t testing.TB, n *core.Node) (w *wire, served chan error) {
	t.Helper()
	client, server := local.Pipe(local.Options{})
	served = make(chan error, 1)
	go func() { served <- n.Serve(context.Background(), server) }()
	t.Cleanup(func() { client.Close("the test is over") })
	return &wire{t: t, conn: client, node: id.NodeID{ULID: id.New(nil)}}, served
}

// greeted is raw, and says hello.
func greeted(t testing.TB, n *core.Node) (w *wire, served chan error) {
	t.Helper()
	w, served = raw(t, n)
	w.hello()
	return w, served
}

func (w *wire) hello() *proto.Welcome {
	w.t.Helper()
	w.send(&proto.Hello{Node: w.node, Time: time.Now().UnixMicro()})
	welcome, ok := w.receive().(*proto.Welcome)
	if !ok {
		w.t.Fatal("no welcome")
	}
	if _, ok := w.receive().(*proto.Catalog); !ok {
		w.t.Fatal("no catalog")
	}
	return welcome
}

func (w *wire) send(f proto.Frame) { w.t.Helper(); w.sendBytes(proto.AppendFrame(nil, f)) }

func (w *wire) sendBytes(b []byte) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.conn.Send(ctx, b); err != nil {
		w.t.Fatalf("send: %v", err)
	}
}

func (w *wire) receive() proto.Frame {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	b, err := w.conn.Receive(ctx)
	if err != nil {
		w.t.Fatalf("receive: %v", err)
	}
	f, err := proto.DecodeFrame(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// until returns the next frame of a type, and passes over others.
func until[F proto.Frame](w *wire) F {
	w.t.Helper()
	for {
		if f, ok := w.receive().(F); ok {
			return f
		}
	}
}

func (w *wire) nack() *proto.Nack { w.t.Helper(); return until[*proto.Nack](w) }
func (w *wire) ack() *proto.Ack   { w.t.Helper(); return until[*proto.Ack](w) }

func operationsOf(fields []proto.Field) (ops []proto.Operation) {
	for _, f := range fields {
		ops = append(ops, proto.Operation{Property: f.Name, Kind: lww.Code, Data: value.Append(nil, f.Value)})
	}
	return ops
}

func (w *wire) creation(collection string, fields []proto.Field) *proto.Event {
	e := &proto.Event{Collection: collection, Author: w.node, Operations: operationsOf(fields)}
	w.next++
	e.Nonce[0], e.Nonce[1] = byte(w.next), byte(w.next>>8)
	return w.mint(e)
}

func (w *wire) edit(on *proto.Event, fields []proto.Field) *proto.Event {
	return w.mint(&proto.Event{Collection: on.Collection, Entity: on.Entity, Parents: proto.NewClock(on.ID),
		Author: w.node, Operations: operationsOf(fields)})
}

func (w *wire) mint(e *proto.Event) *proto.Event {
	w.t.Helper()
	if err := e.Mint(max(id.StampAt(time.Now()), e.Parents.Stamp()+1)); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *wire) commit(events ...*proto.Event) *proto.Commit {
	return &proto.Commit{Transaction: id.TransactionID{ULID: id.New(nil)}, Events: events}
}

// refused waits for the end of a connection, and returns why the peer says it ended.
func (w *wire) refused(served chan error) *proto.Refuse {
	w.t.Helper()
	refuse := until[*proto.Refuse](w)
	select {
	case err := <-served:
		if err == nil {
			w.t.Error("the connection ended in good order")
		}
	case <-time.After(20 * time.Second):
		w.t.Fatal("the connection is still served")
	}
	return refuse
}

// bystander is a client that must not notice what another peer does.
type bystander struct {
	t      *testing.T
	server *core.Node
	node   *core.Node
	query  *core.LiveQuery
	calls  *recorder
}

func standBy(t *testing.T, server *core.Node) *bystander {
	t.Helper()
	b := &bystander{t: t, server: server, node: connected(t, server, core.Options{})}
	b.query = watch(t, b.node, "album", "ORDER BY name")
	eventually(t, "live", func() bool { return b.query.Status() == core.QueryLive })
	b.calls = record(t, b.query)
	return b
}

// undisturbed checks that the bystander has heard nothing so far, and hears of what is
// committed now, and that the server watches for it alone.
func (b *bystander) undisturbed() {
	b.t.Helper()
	create(b.t, b.server, "after all that", 1)
	b.calls.wait("added after all that")
	if b.node.Status().Connection != core.Live {
		b.t.Error("it lost its connection")
	}
	eventually(b.t, "nothing is left behind", func() bool { return b.server.Watches() == 1 && b.server.Peers() == 1 })
}

// TestHostileFrames covers 282 to 287: what no honest peer sends ends the connection,
// with the reason in words, and concerns nobody else.
func TestHostileFrames(t *testing.T) {
	good := proto.AppendFrame(nil, &proto.Hello{Node: id.NodeID{ULID: id.New(nil)}})
	for _, c := range []struct {
		label string
		hello bool // before it
		frame []byte
		kind  core.Kind
	}{
		{"282 another version", false, append([]byte{proto.Version + 1}, good[1:]...), core.KindVersion},
		{"283 version zero", false, append([]byte{0}, good[1:]...), core.KindVersion},
		{"285 a request before the hello", false, proto.AppendFrame(nil, &proto.Ping{}), core.KindInvalid},
		{"a hello without a node", false, proto.AppendFrame(nil, &proto.Hello{}), core.KindInvalid},
		{"287 garbage first", false, []byte("GET / HTTP/1.1\r\n\r\n"), core.KindVersion},
		{"an empty frame", false, []byte{}, core.KindInvalid},
		{"287 garbage later", true, []byte{proto.Version, 10, 0xc1, 0xc1}, core.KindInvalid},
		{"a frame cut short", true, proto.AppendFrame(nil, &proto.Get{Request: 1, Collection: "album"})[:5], core.KindInvalid},
		{"a frame with more behind it", true, append(proto.AppendFrame(nil, &proto.Ping{}), 0), core.KindInvalid},
		{"an unknown frame type", true, []byte{proto.Version, 99, 0x90}, core.KindInvalid},
		{"another hello", true, good, core.KindInvalid},
		{"a frame for the other side", true, proto.AppendFrame(nil, &proto.Update{}), core.KindInvalid},
		{"350 an answer to nobody's question", true, proto.AppendFrame(nil, &proto.Rows{Sub: 1, Collection: "album"}), core.KindInvalid},
		{"349 a selection of a megabyte", true, proto.AppendFrame(nil, &proto.Subscribe{Sub: 1, Collection: "album",
			Text: "name = '" + strings.Repeat("x", 1<<20) + "'"}), core.KindTooLarge},
		{"352 a list of 2^32 items", true, append([]byte{proto.Version, 10}, 0xdd, 0xff, 0xff, 0xff, 0xff), core.KindTooLarge},
	} {
		t.Run(c.label, func(t *testing.T) {
			server := durable(t, core.Options{})
			b := standBy(t, server)
			w, served := raw(t, server)
			if c.hello {
				w.hello()
			}
			w.sendBytes(c.frame)
			if got := w.refused(served); got.Kind != uint64(c.kind) || got.Message == "" {
				t.Errorf("refused with %v %q, want %v", core.Kind(got.Kind), got.Message, c.kind)
			}
			b.undisturbed()
		})
	}
}

// TestHostileCommits covers 333 to 343, 348 and 351: what is wrong with a transaction is
// its own affair. It is refused whole, with the reason; the connection and everybody else
// go on.
func TestHostileCommits(t *testing.T) {
	server := durable(t, core.Options{})
	if err := server.Register(t.Context(), pet); err != nil {
		t.Fatal(err)
	}
	b := standBy(t, server)
	w, _ := greeted(t, server)
	other, _ := greeted(t, server)
	theirs := other.creation("pet", with("name", "theirs"))
	other.send(other.commit(theirs))
	other.ack()
	own := w.creation("pet", with("name", "own"))
	w.send(w.commit(own))
	w.ack()
	ghost := w.creation("pet", with("name", "never sent"))
	ahead := func(d time.Duration) *proto.Event {
		e := &proto.Event{Collection: "pet", Author: w.node, Operations: operationsOf(with("name", "early"))}
		if err := e.Mint(id.StampAt(time.Now().Add(d))); err != nil {
			t.Fatal(err)
		}
		return e
	}
	changed := func(e *proto.Event, change func(*proto.Event)) *proto.Event {
		c := *e
		change(&c)
		return w.mint(&c)
	}
	for _, c := range []struct {
		label  string
		events []*proto.Event
		kind   core.Kind
		says   string
	}{
		{"333 338 341 an unknown parent", []*proto.Event{w.edit(ghost, with("name", "x"))}, core.KindMissingParents, "never created"},
		{"333 an unknown parent of a known entity", []*proto.Event{changed(w.edit(own, with("name", "x")), func(e *proto.Event) {
			e.Parents = proto.NewClock(ghost.ID)
		})}, core.KindMissingParents, ghost.ID.String()},
		{"340 parents of a foreign entity", []*proto.Event{changed(w.edit(own, with("name", "x")), func(e *proto.Event) {
			e.Parents = proto.NewClock(theirs.ID)
		})}, core.KindMissingParents, theirs.ID.String()},
		{"348 another collection than its entity's", []*proto.Event{changed(w.edit(own, with("name", "x")), func(e *proto.Event) {
			e.Collection = "album"
		})}, core.KindInvalid, "album"},
		{"an author who is not connected here", []*proto.Event{changed(w.edit(own, with("name", "x")), func(e *proto.Event) {
			e.Author = other.node
		})}, core.KindDenied, "author"},
		{"a user who is not connected here", []*proto.Event{changed(w.edit(own, with("name", "x")), func(e *proto.Event) {
			e.User = "root"
		})}, core.KindDenied, "root"},
		{"from the future", []*proto.Event{ahead(6*time.Minute + 30*time.Second)}, core.KindClockDrift, "6m30s ahead"},
		{"311 a protected collection", []*proto.Event{w.creation(schema.ReservedPrefix+"model", with("collection", "x"))}, core.KindDenied, "protected"},
		{"an unknown collection", []*proto.Event{w.creation("nothing", with("name", "x"))}, core.KindSchema, "nothing"},
		{"an unknown property", []*proto.Event{w.creation("pet", with("name", "x", "nome", "y"))}, core.KindSchema, "nome"},
		{"a value of another type", []*proto.Event{w.creation("pet", with("age", "old", "name", "x"))}, core.KindSchema, "age"},
		{"351 an unknown kind", []*proto.Event{changed(w.creation("pet", with("name", "x")), func(e *proto.Event) {
			e.Operations = []proto.Operation{{Property: "name", Kind: 200, Data: []byte{1}}}
		})}, core.KindSchema, "200"},
		{"346 351 an operation that is no value", []*proto.Event{changed(w.creation("pet", with("name", "x")), func(e *proto.Event) {
			e.Operations = []proto.Operation{{Property: "name", Kind: lww.Code, Data: []byte{0xc1}}}
		})}, core.KindInvalid, "operation"},
		{"a deletion mark that is a text", []*proto.Event{changed(w.edit(own, with("name", "x")), func(e *proto.Event) {
			e.Operations = operationsOf([]proto.Field{{Name: proto.Deleted, Value: value.String("yes")}})
		})}, core.KindSchema, "deletion"},
	} {
		t.Run(c.label, func(t *testing.T) {
			// Beside it, something that would be fine alone.
			good := w.creation("pet", with("name", "beside"))
			m := w.commit(append([]*proto.Event{good}, c.events...)...)
			w.send(m)
			nack := w.nack()
			if nack.Transaction != m.Transaction || nack.Kind != uint64(c.kind) || !strings.Contains(nack.Message, c.says) {
				t.Errorf("%v: %s", core.Kind(nack.Kind), nack.Message)
			}
			if k := core.Kind(nack.Kind); k == core.KindInternal || k == core.KindStorage {
				t.Errorf("it is blamed on the durable node: %v", nack)
			}
			if _, err := anonymous(server).Get(t.Context(), "pet", good.Entity); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("half of it was taken: %v", err)
			}
		})
	}
	if got := rowNames(watch(t, server, "pet", "ORDER BY name"), "name"); got != "own theirs" {
		t.Errorf("the server has %q", got)
	}
	// The connection is still good, and so is an event a little ahead.
	w.send(w.commit(ahead(4 * time.Minute)))
	w.ack()
	w.conn.Close("")
	other.conn.Close("")
	eventually(t, "gone", func() bool { return server.Peers() == 1 })
	b.calls.want()
}

// TestReplay is 337, 335 and 339: events that are known change nothing and tell nobody;
// children may come before their parents.
func TestReplay(t *testing.T) {
	server := durable(t, core.Options{})
	q := watch(t, server, "album", "")
	r := record(t, q)
	w, _ := greeted(t, server)
	first := w.creation("album", with("name", "0"))
	events := []*proto.Event{first}
	for i := range 99 {
		events = append(events, w.edit(events[i], with("name", fmt.Sprint(i+1))))
	}
	slices.Reverse(events) // 339
	m := w.commit(events...)
	w.send(m)
	if got := w.ack(); len(got.Rows) != 1 || got.Rows[0].Rev != 1 || len(got.Rows[0].Before) != 0 || got.Rows[0].Known {
		t.Errorf("%+v", got)
	}
	r.want("added 99")
	published := server.Published()
	for range 3 {
		w.send(m)
		if got := w.ack(); got.Transaction != m.Transaction || len(got.Rows) != 1 || got.Rows[0].Rev != 1 || !got.Rows[0].Known {
			t.Errorf("%+v", got)
		}
		// The same events under another transaction, and one by one.
		w.send(w.commit(events...))
		w.ack()
		w.send(w.commit(events[50]))
		w.ack()
		w.send(w.commit(first))
		w.ack()
	}
	r.want()
	if server.Published() != published || len(q.Rows()[0].State().Head) != 1 {
		t.Error("something was committed again")
	}
}

// TestWideHeads is 343: concurrent events beyond the limit are refused one by one,
// and the entity can still be edited.
func TestWideHeads(t *testing.T) {
	server := durable(t, core.Options{})
	w, _ := greeted(t, server)
	first := w.creation("album", with("name", "0"))
	w.send(w.commit(first))
	w.ack()
	accepted, refused := 0, 0
	for i := range 256 {
		w.send(w.commit(w.edit(first, with("name", fmt.Sprint(i)))))
		switch m := w.receive().(type) {
		case *proto.Ack:
			accepted++
		case *proto.Nack:
			if refused++; m.Kind != uint64(core.KindLimit) {
				t.Fatalf("%v", m)
			}
		}
	}
	if most := core.DefaultLimits().Siblings; accepted != most || refused != 256-most {
		t.Errorf("%d accepted, %d refused", accepted, refused)
	}
	put(t, server, "album", first.Entity, "name", "joined")
	if v, err := anonymous(server).Get(t.Context(), "album", first.Entity); err != nil || len(v.State().Head) != 1 {
		t.Errorf("%v, %v", v, err)
	}
}

// TestOversizeTransactions is 342: what exceeds a limit is refused as a whole.
func TestOversizeTransactions(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{TxEvents: 20, TxBytes: 50_000}})
	w, _ := greeted(t, server)
	var many []*proto.Event
	for range 21 {
		many = append(many, w.creation("album", with("name", "x")))
	}
	w.send(w.commit(many...))
	if got := w.nack(); got.Kind != uint64(core.KindLimit) {
		t.Errorf("%v", got)
	}
	w.send(w.commit(w.creation("album", with("name", strings.Repeat("x", 60_000)))))
	if got := w.nack(); got.Kind != uint64(core.KindTooLarge) {
		t.Errorf("%v", got)
	}
	w.send(w.commit(many[:20]...))
	w.ack()
	// An entity does not grow without end either.
	e := w.creation("album", with("name", "small"))
	w.send(w.commit(e))
	w.ack()
}

// TestHostileSubscriptions is 349 and the rest of what can be asked: an answer or an
// error, and the connection goes on.
func TestHostileSubscriptions(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{Subscriptions: 5}})
	create(t, server, "a", 1)
	b := standBy(t, server)
	w, _ := greeted(t, server)
	number := uint64(100)
	for _, c := range []struct {
		label, collection, text string
		params                  []value.Value
		kind                    core.Kind
	}{
		{"IS NULL", "album", "artist IS NULL", nil, core.KindNone},
		{"IN", "album", "year IN (1, 2, 3)", nil, core.KindNone},
		{"an unreplaced placeholder", "album", "year = ?", nil, core.KindSelection},
		{"a parameter too many", "album", "TRUE", []value.Value{value.Int(1)}, core.KindSelection},
		{"no AnkQL", "album", "'; DROP TABLE album; --", nil, core.KindSelection},
		{"an unknown property", "album", "nmae = 'x'", nil, core.KindSelection},
		{"an unknown collection", "elsewhere", "", nil, core.KindSchema},
		{"a protected collection", schema.ReservedPrefix + "model", "", nil, core.KindDenied},
		{"10,000 parentheses", "album", strings.Repeat("(", 10_000) + "TRUE" + strings.Repeat(")", 10_000), nil, core.KindSelection},
		{"a window of 2^30 rows", "album", "ORDER BY name LIMIT 1073741824", nil, core.KindNone},
		{"a window of 2^62 rows", "album", "ORDER BY name LIMIT 4611686018427387904", nil, core.KindSelection},
		{"an empty window", "album", "LIMIT 0", nil, core.KindNone},
	} {
		t.Run(c.label, func(t *testing.T) {
			number++
			w.send(&proto.Subscribe{Sub: number, Collection: c.collection, Text: c.text, Params: c.params})
			for {
				switch m := w.receive().(type) {
				case *proto.Rows:
					if m.Sub == number && m.Done && c.kind != core.KindNone {
						t.Error("it was answered")
					}
					if m.Sub == number && m.Done {
						w.send(&proto.Unsubscribe{Sub: number})
						w.send(&proto.Unsubscribe{Sub: number})
						return
					}
				case *proto.Reply:
					if m.Request == number {
						if m.Kind != uint64(c.kind) || m.Message == "" {
							t.Errorf("%v: %s", core.Kind(m.Kind), m.Message)
						}
						return
					}
				}
			}
		})
	}
	for i := range uint64(7) {
		w.send(&proto.Subscribe{Sub: i + 1, Collection: "album"})
	}
	refused := 0
	for answers := 0; answers < 7; {
		switch m := w.receive().(type) {
		case *proto.Rows:
			if m.Done {
				answers++
			}
		case *proto.Reply:
			answers++
			if refused++; m.Kind != uint64(core.KindLimit) {
				t.Errorf("%v", m)
			}
		}
	}
	if refused != 2 {
		t.Errorf("%d subscriptions were refused, the limit is 5", refused)
	}
	w.send(&proto.Get{Request: 50, Collection: "album", Entities: make([]id.EntityID, 5000)})
	if m := until[*proto.Reply](w); m.Request != 50 || m.Kind != uint64(core.KindLimit) {
		t.Errorf("%v", m)
	}
	w.send(&proto.Get{Request: 51, Collection: schema.ReservedPrefix + "system", Entities: make([]id.EntityID, 1)})
	if m := until[*proto.Reply](w); m.Request != 51 || m.Kind != uint64(core.KindDenied) {
		t.Errorf("%v", m)
	}
	w.conn.Close("")
	b.undisturbed()
}

// TestLargeAnswersComeInParts: no frame exceeds what a connection carries, however much
// is asked for at once.
// What is wrong with a durable node's disk is for its operator, not for whoever asks.
func TestPeersReadNothingOfTheInsides(t *testing.T) {
	var broken atomic.Bool
	inside := errors.New("/var/lib/secret: input/output error")
	engine := faulty.Wrap(memory.New(), func(c faulty.Call) faulty.Fault {
		if broken.Load() && c.Op != faulty.Meta {
			return faulty.Fault{Before: fmt.Errorf("%w: %w", storage.ErrUnavailable, inside)}
		}
		return faulty.Fault{}
	})
	server := durable(t, core.Options{Engine: engine})
	e := create(t, server, "there", 1)
	w, _ := greeted(t, server)
	broken.Store(true)
	w.send(&proto.Subscribe{Sub: 1, Collection: "album"})
	w.send(&proto.Get{Request: 2, Collection: "album", Entities: []id.EntityID{e}})
	w.send(&proto.History{Request: 3, Collection: "album", Entity: e})
	w.send(w.commit(w.creation("album", fields("x", 1))))
	var said []string
	for range 3 {
		said = append(said, until[*proto.Reply](w).Message)
	}
	w.send(w.commit(w.creation("album", fields("y", 1))))
	said = append(said, w.nack().Message)
	for _, message := range said {
		if message == "" || strings.Contains(message, "secret") {
			t.Errorf("the peer is told %q", message)
		}
	}
}

func TestLargeAnswersComeInParts(t *testing.T) {
	server := durable(t, core.Options{})
	var all []id.EntityID
	for range 40 {
		all = append(all, create(t, server, strings.Repeat("x", 500_000), 1))
	}
	w, _ := greeted(t, server)
	w.send(&proto.Get{Request: 1, Collection: "album", Entities: append(all, id.EntityID{ULID: id.New(nil)})})
	rows, frames := 0, 0
	for done := false; !done; {
		m := until[*proto.Rows](w)
		rows += len(m.Rows)
		frames++
		done = m.Done
	}
	if rows != 40 || frames < 10 {
		t.Errorf("%d rows in %d frames", rows, frames)
	}

	a := connected(t, server, core.Options{})
	q := watch(t, a, "album", "ORDER BY id")
	eventually(t, "all", func() bool { return q.Status() == core.QueryLive && len(q.Rows()) == 40 })
	several(t, server, func(tx *core.Tx) (err error) { // an update that no frame holds
		for _, e := range all {
			err = errors.Join(err, tx.Set(t.Context(), "album", e, with("name", strings.Repeat("y", 190_000))))
		}
		return err
	})
	eventually(t, "all changed", func() bool {
		for _, v := range q.Rows() {
			if s := text(v, "name"); s[0] != 'y' {
				return false
			}
		}
		return true
	})
}

// TestUnsubscribedBeforeItIsOpened: what is subscribed to and not wanted any more while the
// agent is still asked about it is not watched.
func TestUnsubscribedBeforeItIsOpened(t *testing.T) {
	for _, f := range []proto.Frame{
		&proto.Subscribe{Sub: 1, Collection: "album", Text: "year > 1"},
		&proto.Subscribe{Sub: 1, Collection: "album", Text: "ORDER BY name LIMIT 3"},
		&proto.Aggregate{Sub: 1, Collection: "album", Columns: []proto.AggregateColumn{{}}},
	} {
		t.Run(fmt.Sprintf("%T", f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { unsubscribedBefore(t, f) })
		})
	}
}

func unsubscribedBefore(t *testing.T, f proto.Frame) {
	var asked atomic.Int32
	release := make(chan struct{})
	agent := &scripted{Agent: policy.Permissive()}
	server := durable(t, core.Options{Policy: agent})
	w, _ := greeted(t, server)
	agent.set(func() {
		agent.narrow = func(policy.Principal, string) (string, error) {
			asked.Add(1)
			<-release
			return "", nil
		}
	})
	w.send(f)
	w.send(f) // it may come twice
	synctest.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the agent was asked %d times", n)
	}
	w.send(&proto.Unsubscribe{Sub: 1})
	synctest.Wait()
	close(release)
	synctest.Wait()
	if got := server.Watches(); got != 0 {
		t.Errorf("%d watches for nobody", got)
	}
	w.send(f) // another of the number
	synctest.Wait()
	if got := server.Watches(); got != 1 {
		t.Errorf("%d watches, want 1", got)
	}
}

// TestPanickingPolicy: a defect of the policy agent costs the request or the connection
// concerned, not the node.
func TestPanickingPolicy(t *testing.T) {
	agent := &scripted{Agent: policy.Permissive()}
	server := durable(t, core.Options{Policy: agent})
	local := record(t, watch(t, server, "album", "name != 'bad'"))
	w, served := greeted(t, server)
	w.send(&proto.Subscribe{Sub: 1, Collection: "album"})
	until[*proto.Rows](w)

	agent.set(func() { agent.write = func(policy.Principal, policy.Write) error { panic("a defect") } })
	w.send(w.commit(w.creation("album", with("name", "x"))))
	if m := w.nack(); m.Kind != uint64(core.KindInternal) || strings.Contains(m.Message, "defect") {
		t.Errorf("%v", m)
	}
	tx := anonymous(server).Begin()
	if _, err := tx.Create(t.Context(), "album", with("name", "x")); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); core.KindOf(err) != core.KindInternal {
		t.Errorf("commit: %v", err)
	}
	agent.set(func() { agent.write = nil })

	agent.set(func() {
		agent.read = func(p policy.Principal, c string, f policy.Fields) error {
			if name, _ := f.Field("name").AsString(); name == "bad" {
				panic("a defect")
			}
			return nil
		}
	})
	create(t, server, "bad", 1)
	create(t, server, "good", 1)
	local.want("added good")
	select {
	case <-served:
	case <-time.After(20 * time.Second):
		t.Error("the connection that cannot be served goes on")
	}
	w, _ = greeted(t, server)
	w.send(&proto.Ping{})
	until[*proto.Pong](w)
}

// scripted is a policy agent whose decisions a test makes.
type scripted struct {
	policy.Agent
	mu           sync.Mutex
	authenticate func(credentials string) (policy.Principal, error)
	narrow       func(p policy.Principal, collection string) (string, error)
	read         func(p policy.Principal, collection string, f policy.Fields) error
	write        func(p policy.Principal, w policy.Write) error
}

func (s *scripted) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *scripted) Authenticate(ctx context.Context, credentials []byte) (policy.Principal, error) {
	s.mu.Lock()
	f := s.authenticate
	s.mu.Unlock()
	if f == nil {
		return s.Agent.Authenticate(ctx, credentials)
	}
	return f(string(credentials))
}

func (s *scripted) Narrow(p policy.Principal, collection string) (ankql.Expr, error) {
	s.mu.Lock()
	f := s.narrow
	s.mu.Unlock()
	if f == nil {
		return nil, nil
	}
	text, err := f(p, collection)
	if err != nil || text == "" {
		return nil, err
	}
	sel, err := ankql.Parse(text)
	if err != nil {
		return nil, err
	}
	return sel.Where, nil
}

func (s *scripted) Read(p policy.Principal, collection string, f policy.Fields) error {
	s.mu.Lock()
	read := s.read
	s.mu.Unlock()
	if read == nil {
		return nil
	}
	return read(p, collection, f)
}

func (s *scripted) Write(p policy.Principal, w policy.Write) error {
	s.mu.Lock()
	write := s.write
	s.mu.Unlock()
	if write == nil {
		return nil
	}
	return write(p, w)
}

// FuzzReceive sends frames of any kind after a valid hello: the node answers or refuses,
// does not panic, and holds nothing afterwards.
func FuzzReceive(f *testing.F) {
	w := &wire{t: f, node: id.NodeID{ULID: id.New(nil)}}
	creation := w.creation("album", with("name", "x"))
	for _, frame := range []proto.Frame{
		w.commit(creation, w.edit(creation, with("name", "y"))),
		&proto.Subscribe{Sub: 1, Collection: "album", Text: "year > ? ORDER BY name LIMIT 3", Params: []value.Value{value.Int(1)}},
		&proto.Subscribe{Sub: 2, Collection: "album", After: proto.Position{{Seq: 1}}, Known: []proto.KnownRow{{Entity: creation.Entity, Rev: 1}}},
		&proto.Unsubscribe{Sub: 1}, &proto.Get{Request: 3, Collection: "album", Entities: []id.EntityID{creation.Entity}},
		&proto.Register{Request: 4, Models: []*schema.Model{pet}}, &proto.Ping{Time: 1}, &proto.Pong{}, &proto.Hello{},
	} {
		b := proto.AppendFrame(nil, frame)
		f.Add(b, b)
		f.Add(b[:len(b)/2], b)
	}
	server, err := core.Open(context.Background(), core.Options{Engine: memory.New(), Durable: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { server.Close() })
	if err := errors.Join(server.CreateSystem(context.Background()), server.Register(context.Background(), album)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		client, conn := local.Pipe(local.Options{Queue: 4096})
		served := make(chan error, 1)
		go func() { served <- server.Serve(context.Background(), conn) }()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		hello := proto.AppendFrame(nil, &proto.Hello{Node: id.NodeID{ULID: id.New(nil)}})
		for _, frame := range [][]byte{hello, one, two, one} {
			if client.Send(ctx, slices.Clone(frame)) != nil {
				break // it has been refused
			}
		}
		// A ping is answered after everything before it, unless the connection has ended.
		_ = client.Send(ctx, proto.AppendFrame(nil, &proto.Ping{Time: 7}))
		for {
			b, err := client.Receive(ctx)
			if ctx.Err() != nil {
				t.Fatal("neither an answer nor a refusal")
			}
			if err != nil {
				break
			}
			f, err := proto.DecodeFrame(b)
			if err != nil {
				t.Fatalf("the node sent %x: %v", b, err)
			}
			if m, ok := f.(*proto.Pong); ok && m.Time == 7 {
				break
			}
		}
		client.Close("")
		<-served
		if server.Peers() != 0 || server.Watches() != 0 {
			t.Errorf("%d peers and %d watches are left", server.Peers(), server.Watches())
		}
	})
}
