package causal

import (
	"context"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Relation is how two clocks of one entity stand to each other.
type Relation uint8

// The relations of a clock a to a clock b.
const (
	Equal      Relation = iota // the same events
	Descends                   // a's history holds all of b's, and more
	Precedes                   // b's history holds all of a's, and more
	Concurrent                 // each holds events that the other does not, and they share some
	Disjoint                   // they are not of one entity: a creation is in one history only
)

// String returns the relation's name in lower case.
func (r Relation) String() string {
	return [...]string{"equal", "descends", "precedes", "concurrent", "disjoint"}[r]
}

// Comparison is what Compare finds out.
type Comparison struct {
	Relation Relation
	// Meet is the clock of the greatest events in both histories: the lesser clock, or
	// where concurrent ones parted. It is empty where they are disjoint.
	Meet proto.Clock
}

// Compare says how clock a stands to clock b, looking at up to limit events. The empty clock
// precedes every other one.
//
// An event that nobody has does not matter if it is in both histories and nothing that the
// answer depends on may lie below it; otherwise it is a [*MissingError].
func Compare(ctx context.Context, g Getter, a, b proto.Clock, limit int) (Comparison, error) {
	switch {
	case a.Equal(b):
		return Comparison{Equal, a}, nil
	case len(b) == 0:
		return Comparison{Relation: Descends}, nil
	case len(a) == 0:
		return Comparison{Relation: Precedes}, nil
	}
	c := comparing{walk: newWalk(g, limit)}
	for _, e := range a {
		c.reach(e, left)
	}
	for _, e := range b {
		c.reach(e, right)
	}
	if err := c.run(ctx); err != nil {
		return Comparison{}, err
	}
	meet := proto.NewClock(c.meet...)
	switch {
	case c.foreign:
		return Comparison{Relation: Disjoint}, nil
	case c.only == left:
		return Comparison{Descends, meet}, nil
	case c.only == right:
		return Comparison{Precedes, meet}, nil
	}
	return Comparison{Concurrent, meet}, nil
}

// comparing is a comparison under way.
type comparing struct {
	*walk
	only    side // the sides that have an event which the other has not
	foreign bool // a creation is in one history only
	meet    []id.EventID
}

// run goes back until all that waits is below the meet. Whatever was met before is known
// to be in one history only or to be in the meet.
func (c *comparing) run(ctx context.Context) error {
	for c.open > 0 {
		n, err := c.next()
		if err != nil {
			return err
		}
		s := n.sides
		switch s {
		case left, right:
			c.only |= s
		case both:
			c.meet = append(c.meet, n.id)
			s |= covered
		}
		if err := c.expand(ctx, n, s); err != nil {
			return err
		}
		if s&covered == 0 && len(n.parents.Clock) == 0 {
			c.foreign = true
		}
	}
	return nil
}
