package entity_test

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Two authors edit an album without knowing of each other. Both edits survive, and the
// head is the two events until somebody writes on top of both.
func ExampleApply() {
	set := func(name string, v value.Value) []proto.Operation {
		return []proto.Operation{lww.Register{}.Set(name, proto.PropertyState{}, v)}
	}
	creation := &proto.Event{Collection: "album"}
	check(creation.Mint(1000))
	name := &proto.Event{Collection: "album", Entity: creation.Entity, Parents: proto.NewClock(creation.ID), Operations: set("name", value.String("Showbiz"))}
	check(name.Mint(1001))
	year := &proto.Event{Collection: "album", Entity: creation.Entity, Parents: proto.NewClock(creation.ID), Operations: set("year", value.Int(1999))}
	check(year.Mint(1002))

	var state *proto.State
	for _, e := range []*proto.Event{creation, year, name} {
		next, err := entity.Apply(state, e)
		check(err)
		state = next
	}
	fmt.Println(state.Field("name"), state.Field("year"), state.Head.Equal(proto.NewClock([]id.EventID{name.ID, year.ID}...)))
	// Output: "Showbiz" 1999 true
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
