package entity

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// replica holds some of an entity's events, and the state that it made of them, from
// events and from the states of others.
type replica struct {
	t     testing.TB
	clock id.HLC
	known map[id.EventID]*proto.Event
	state *proto.State
}

func newReplica(t testing.TB) *replica { return &replica{t: t, known: map[id.EventID]*proto.Event{}} }

// mint makes an event on top of parents; for none it is a creation.
func (r *replica) mint(parents proto.Clock, fields ...proto.Field) *proto.Event {
	r.t.Helper()
	e := &proto.Event{Collection: "album", Parents: parents, Author: id.NodeID{ULID: id.Make(1, [8]byte{1})}}
	for _, f := range fields {
		e.Operations = append(e.Operations, lww.Register{}.Set(f.Name, proto.PropertyState{}, f.Value))
	}
	slices.SortFunc(e.Operations, func(a, b proto.Operation) int { return bytes.Compare([]byte(a.Property), []byte(b.Property)) })
	if len(parents) > 0 {
		for _, known := range r.known {
			e.Entity = known.Entity
		}
	}
	if err := e.Mint(r.clock.Next(parents.Stamp())); err != nil {
		r.t.Fatal(err)
	}
	return e
}

// write makes an edit on top of what the replica holds, and applies it.
func (r *replica) write(fields ...proto.Field) *proto.Event {
	r.t.Helper()
	e := r.mint(r.state.Head, fields...)
	if !r.deliver(e) {
		r.t.Fatal("its own event is not taken")
	}
	return e
}

// deliver applies e if its parents are known; it reports whether e is known now.
func (r *replica) deliver(e *proto.Event) bool {
	r.t.Helper()
	if r.known[e.ID] != nil {
		return true
	}
	for _, p := range e.Parents {
		if r.known[p] == nil {
			return false
		}
	}
	if e.IsCreation() && r.state != nil {
		return false
	}
	next, err := Apply(r.state, e)
	if err != nil {
		r.t.Fatalf("apply: %v", err)
	}
	r.known[e.ID], r.state = e, next
	return true
}

// mergeState takes in the state of another replica. The histories are known here, so what
// descends from something else in the head can be removed, as whoever calls Merge does.
func (r *replica) mergeState(from *replica) {
	r.t.Helper()
	if from.state == nil {
		return
	}
	if r.state == nil {
		r.state = from.state
	} else {
		merged, err := Merge(r.state, from.state)
		if err != nil {
			r.t.Fatalf("merge: %v", err)
		}
		r.state = merged
	}
	maps.Copy(r.known, from.known)
	head := maximal(r.known)
	if !r.state.Head.ContainsAll(head) {
		r.t.Fatalf("the merged head %v lacks something of %v", r.state.Head, head)
	}
	r.state = WithPatch(r.state, head, nil)
}

// maximal returns the events that no other one is on top of.
func maximal(known map[id.EventID]*proto.Event) proto.Clock {
	covered := map[id.EventID]bool{}
	for _, e := range known {
		for _, p := range e.Parents {
			covered[p] = true
		}
	}
	var head []id.EventID
	for e := range known {
		if !covered[e] {
			head = append(head, e)
		}
	}
	return proto.NewClock(head...)
}

// ancestors returns what e is on top of, directly or not.
func ancestors(known map[id.EventID]*proto.Event, e *proto.Event) map[id.EventID]bool {
	out := map[id.EventID]bool{}
	for todo := slices.Clone(e.Parents); len(todo) > 0; {
		p := todo[0]
		todo = todo[1:]
		if !out[p] {
			out[p] = true
			todo = append(todo, known[p].Parents...)
		}
	}
	return out
}

// check holds the state against its history: the head is exactly the maximal events, and
// each property reads what the greatest of its writers wrote, which nobody who wrote the
// property had seen.
func (r *replica) check() {
	r.t.Helper()
	if head := maximal(r.known); !r.state.Head.Equal(head) {
		r.t.Fatalf("head %v, want %v", r.state.Head, head)
	}
	writers := map[string]*proto.Event{}
	values := map[string]value.Value{}
	for _, e := range r.known {
		for _, op := range e.Operations {
			if w := writers[op.Property]; w == nil || e.ID.Compare(w.ID.ULID) > 0 {
				writers[op.Property] = e
				values[op.Property], _, _ = lww.Register{}.Written(op)
			}
		}
	}
	for name, winner := range writers {
		if got := r.state.Field(name); got != values[name] {
			r.t.Fatalf("%s is %#v, want %#v", name, got, values[name])
		}
		for _, e := range r.known {
			if slices.ContainsFunc(e.Operations, func(op proto.Operation) bool { return op.Property == name }) && ancestors(r.known, e)[winner.ID] {
				r.t.Fatalf("%s is what %v wrote, which %v had seen and replaced", name, winner.ID, e.ID)
			}
		}
	}
	if len(r.state.Properties) != len(writers) {
		r.t.Fatalf("%d properties, want %d", len(r.state.Properties), len(writers))
	}
	if !slices.IsSortedFunc(r.state.Properties, func(a, b proto.PropertyState) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }) {
		r.t.Fatalf("properties are out of order: %+v", r.state.Properties)
	}
}

func randomFields(rng *rand.Rand) []proto.Field {
	values := []value.Value{value.Null, value.Bool(true), value.Bool(false), value.Int(rng.Int64N(100)), value.String("Muse")}
	var fields []proto.Field
	for _, name := range []string{proto.Deleted, "artist", "name", "year"} {
		if rng.IntN(2) == 0 {
			fields = append(fields, proto.Field{Name: name, Value: values[rng.IntN(len(values))]})
		}
	}
	if len(fields) == 0 {
		fields = append(fields, proto.Field{Name: "name", Value: value.Int(rng.Int64N(100))})
	}
	return fields
}

// randomHistory lets authors whose clocks disagree by hours write, and learn from each
// other. It returns the events and the authors.
func randomHistory(t testing.TB, rng *rand.Rand) ([]*proto.Event, []*replica) {
	authors := make([]*replica, 4)
	for i := range authors {
		authors[i] = newReplica(t)
		authors[i].clock.SetOffset(time.Duration(rng.Int64N(int64(4*time.Hour))) - 2*time.Hour)
	}
	creation := &proto.Event{Collection: "album"}
	binary.BigEndian.PutUint64(creation.Nonce[:], rng.Uint64())
	if err := creation.Mint(authors[0].clock.Next(0)); err != nil {
		t.Fatal(err)
	}
	events := []*proto.Event{creation}
	for _, a := range authors {
		a.deliver(creation)
	}
	for range 1 + rng.IntN(14) {
		author := authors[rng.IntN(len(authors))]
		switch rng.IntN(4) {
		case 0:
			author.mergeState(authors[rng.IntN(len(authors))])
		case 1:
			time.Sleep(time.Duration(rng.Int64N(int64(time.Hour))))
			author.deliver(events[rng.IntN(len(events))])
		default:
			events = append(events, author.write(randomFields(rng)...))
		}
		author.check()
	}
	return events, authors
}

// Scenario 54, and promise 1 of the design: replicas that hold the same events hold equal
// heads and equal values, in whatever order, however often, and in whatever mix of events
// and states those came.
func TestReplicasConverge(t *testing.T) {
	for seed := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			events, authors := randomHistory(t, rng)
			replicas := []*replica{newReplica(t), newReplica(t), newReplica(t)}
			for range 8 * len(events) {
				r := replicas[rng.IntN(len(replicas))]
				switch rng.IntN(8) {
				case 0:
					r.mergeState(replicas[rng.IntN(len(replicas))])
				case 1:
					r.mergeState(authors[rng.IntN(len(authors))])
				default: // too early it is lost, twice it is ignored
					r.deliver(events[rng.IntN(len(events))])
				}
				if r.state != nil {
					r.check()
				}
			}
			replicas = append(replicas, authors...)
			for _, r := range replicas {
				for _, e := range events { // all that was lost, parents first
					if !r.deliver(e) {
						t.Fatalf("seed %d: an event is refused after its parents", seed)
					}
				}
				r.check()
			}
			want := proto.AppendState(nil, replicas[0].state)
			for i, r := range replicas {
				if got := proto.AppendState(nil, r.state); !bytes.Equal(got, want) {
					t.Fatalf("seed %d: replica %d holds %+v, replica 0 %+v", seed, i, r.state, replicas[0].state)
				}
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// permutations calls f with every order of the events that has parents first.
func permutations(events []*proto.Event, f func([]*proto.Event)) {
	var walk func(taken []*proto.Event)
	walk = func(taken []*proto.Event) {
		if len(taken) == len(events) {
			f(taken)
			return
		}
		for _, e := range events {
			known := func(p id.EventID) bool {
				return slices.ContainsFunc(taken, func(x *proto.Event) bool { return x.ID == p })
			}
			if known(e.ID) || slices.ContainsFunc(e.Parents, func(p id.EventID) bool { return !known(p) }) {
				continue
			}
			walk(append(slices.Clone(taken), e))
		}
	}
	walk(nil)
}
