package core_test

import (
	"context"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
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
