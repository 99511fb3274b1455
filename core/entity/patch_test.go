package entity

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// A patch carries from one state to the other; its undo, field by field, says how to read
// the one where only the other is left.
func TestPatchAndUndo(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			events, _ := randomHistory(t, rng)
			r := newReplica(t)
			r.deliver(events[0])
			before := r.state
			for _, e := range events[1:] {
				r.deliver(e)
				if rng.IntN(2) == 0 {
					continue
				}
				patched := WithPatch(before, r.state.Head, Patch(before, r.state))
				if !bytes.Equal(proto.AppendState(nil, patched), proto.AppendState(nil, r.state)) {
					t.Fatalf("patched %+v, want %+v", patched, r.state)
				}
				undone := map[string]value.Value{}
				for _, p := range r.state.Properties {
					undone[p.Name] = p.Value
				}
				for _, f := range Undo(before, r.state) {
					undone[f.Name] = f.Value
				}
				for name, v := range undone {
					if want := before.Field(name); v != want {
						t.Fatalf("undone, %s is %#v, want %#v", name, v, want)
					}
				}
				before = r.state
			}
			if patch := Patch(r.state, r.state); len(patch) != 0 {
				t.Fatalf("a state differs from itself by %+v", patch)
			}
		})
	}
}

func TestPatchOfACreation(t *testing.T) {
	state := &proto.State{Properties: []proto.PropertyState{{Name: "name", Kind: lww.Code, Value: value.String("Showbiz")}}}
	if got := Patch(nil, state); !reflect.DeepEqual(got, state.Properties) {
		t.Errorf("%+v", got)
	}
	if got := Undo(nil, state); got != nil {
		t.Errorf("undo %+v", got)
	}
}

// States are immutable: what an event, a merge or a patch makes shares what did not change
// with what it was made from, and changes none of it.
func TestStatesDoNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		events, authors := randomHistory(t, rng)
		r := newReplica(t)
		var states []*proto.State
		var encoded [][]byte
		for _, e := range events {
			r.deliver(e)
			states, encoded = append(states, r.state), append(encoded, proto.AppendState(nil, r.state))
		}
		for _, s := range states {
			for _, a := range authors {
				if _, err := Merge(s, a.state); err != nil {
					t.Fatal(err)
				}
				WithPatch(s, a.state.Head, a.state.Properties)
			}
		}
		for i, s := range states {
			if !bytes.Equal(proto.AppendState(nil, s), encoded[i]) {
				t.Errorf("state %d became %+v", i, s)
			}
		}
	})
}

func TestKinds(t *testing.T) {
	for _, declared := range []schema.Kind{"", schema.KindLWW, schema.KindText} {
		kind, ok := KindOf(declared)
		if !ok {
			t.Fatalf("no kind serves %q", declared)
		}
		if same, ok := KindByCode(kind.Code()); !ok || same != kind {
			t.Errorf("%q is served by kind %d, which is %v", declared, kind.Code(), same)
		}
	}
	if kind, ok := KindOf("none"); ok {
		t.Errorf("%v serves a kind that there is not", kind)
	}
	if kind, ok := KindByCode(0); ok {
		t.Errorf("%v has the code 0", kind)
	}
}
