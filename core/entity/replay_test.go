package entity

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// What an author saw, and made of it, is what replicas that hold nothing else have.
func TestReplayShowsWhatTheAuthorsSaw(t *testing.T) {
	synctest.Test(t, replayShowsWhatTheAuthorsSaw) // the histories take their time
}

func replayShowsWhatTheAuthorsSaw(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		events, _ := randomHistory(t, rng)
		known := make(map[id.EventID]*proto.Event)
		for _, e := range events {
			known[e.ID] = e
		}
		sorted := inPast(events, func(id.EventID) bool { return true })
		steps := 0
		err := Replay(sorted, func(s Step) bool {
			if s.Event != sorted[steps] {
				t.Fatalf("step %d is another event", steps)
			}
			steps++
			past := ancestors(known, s.Event)
			delete(past, s.Event.ID)
			before, err := StateOf(inPast(sorted, func(e id.EventID) bool { return past[e] }))
			if err != nil || !reflect.DeepEqual(s.Before, before) {
				t.Fatalf("seed %d: before %s: %+v, want %+v, %v", seed, s.Event.ID, s.Before, before, err)
			}
			after, err := StateOf(inPast(sorted, func(e id.EventID) bool { return past[e] || e == s.Event.ID }))
			if err != nil || !reflect.DeepEqual(s.After, after) {
				t.Fatalf("seed %d: after %s: %+v, want %+v, %v", seed, s.Event.ID, s.After, after, err)
			}
			return true
		})
		if err != nil || steps != len(sorted) {
			t.Fatalf("%d of %d steps, %v", steps, len(sorted), err)
		}
	}
}

// inPast returns the events that are wanted, in ascending order.
func inPast(events []*proto.Event, wanted func(id.EventID) bool) []*proto.Event {
	byID := make(map[id.EventID]*proto.Event)
	var ids []id.EventID
	for _, e := range events {
		if wanted(e.ID) {
			byID[e.ID] = e
			ids = append(ids, e.ID)
		}
	}
	var sorted []*proto.Event
	for _, e := range proto.NewClock(ids...) {
		sorted = append(sorted, byID[e])
	}
	return sorted
}

func TestReplayOfHalfAHistoryFails(t *testing.T) {
	g := newGraph(t)
	a := g.add("A", "", year(1))
	g.add("B", "A", year(2))
	c := g.add("C", "B", year(3))
	if err := Replay([]*proto.Event{a, c}, func(Step) bool { return true }); err == nil {
		t.Error("an event was replayed without its parent")
	}
}
