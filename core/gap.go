package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core/causal"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// A transaction may be on top of events that this node lacks: its store has lost some, or
// refused them once. They are asked for, with what they are on top of, and go the way of all
// events before the transaction does.

// Limits of what is asked for on behalf of one transaction.
const (
	gapEvents = 100_000
	gapBytes  = 64 << 20
)

var (
	// errNowhere: a transaction is on top of events that nobody has.
	errNowhere = errors.New("it is on top of events that the peer does not have either")
	// errGap: more is missing than one transaction may ask for.
	errGap = errors.New("too much of what it is on top of is missing")
)

// permanent reports whether a transaction of a peer can never be taken. Everything else
// passes: a full disk, a clock that is behind, a kind of property that a newer program knows.
func permanent(err error) bool {
	for _, target := range []error{
		proto.ErrTampered, proto.ErrStructure, proto.ErrMonotone, proto.ErrNotCanonical, property.ErrOperation,
		entity.ErrNoEntity, entity.ErrExists, ErrSystem, errForeignParent, errNowhere, errGap,
		msgpack.ErrTooLong, msgpack.ErrTruncated, msgpack.ErrType, msgpack.ErrTrailing, msgpack.ErrTooDeep,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// complete asks the peer for the events that a transaction is on top of and that this node
// lacks, and takes them.
func (in *intake) complete(ctx context.Context, a *arrival) error {
	if a.asked {
		return errNowhere // it did not help
	}
	a.asked = true
	g := &gap{intake: in, pool: make(map[id.EventID]*proto.Event)}
	for unread := a.events; len(unread) > 0; {
		missing, err := g.missing(ctx, unread)
		if err != nil {
			return err
		}
		if unread, err = g.fetch(ctx, missing); err != nil {
			return err
		}
	}
	causal.Sort(g.found)
	for len(g.found) > 0 {
		n := g.chunk()
		a := &arrival{tx: id.TransactionID{ULID: id.New(in.node.opts.Random)}, events: g.found[:n]}
		g.found = g.found[n:]
		if _, err := in.submit(ctx, []*arrival{a}); err != nil {
			return err
		}
	}
	return nil
}

// gap is what is missing under one transaction.
type gap struct {
	*intake
	pool  map[id.EventID]*proto.Event // what the peer has sent, and was not asked for yet
	known proto.Clock                 // the heads of the entities concerned, as they are here
	found []*proto.Event
	bytes int
}

// missing returns the parents of events that are neither found nor stored here.
func (g *gap) missing(ctx context.Context, events []*proto.Event) (proto.Clock, error) {
	absent := causal.Absent(slices.Concat(g.found, events), func(id.EventID) bool { return false })
	var missing []id.EventID
	for page := range slices.Chunk(absent, storage.MaxPage) {
		stored, err := g.node.engine.Events(ctx, page)
		if err != nil {
			return nil, err
		}
		for i, e := range page {
			if stored[i] == nil {
				missing = append(missing, e)
			}
		}
	}
	if g.known == nil {
		return proto.NewClock(missing...), g.learn(ctx, events)
	}
	return proto.NewClock(missing...), nil
}

// learn reads the heads of the entities, below which nothing is missing.
func (g *gap) learn(ctx context.Context, events []*proto.Event) error {
	var entities []id.EntityID
	for _, e := range events {
		if !slices.Contains(entities, e.Entity) && len(entities) < storage.MaxPage {
			entities = append(entities, e.Entity)
		}
	}
	records, err := g.node.engine.Records(ctx, entities)
	if err != nil {
		return err
	}
	g.known = proto.Clock{}
	for _, r := range records {
		if r != nil && len(g.known)+len(r.State.Head) <= proto.MaxLookup {
			g.known = append(g.known, r.State.Head...)
		}
	}
	return nil
}

// fetch finds events among those that the peer has sent, or asks for them, and returns those
// that it has found.
func (g *gap) fetch(ctx context.Context, missing proto.Clock) (found []*proto.Event, err error) {
	for len(missing) > 0 {
		var rest proto.Clock
		for _, e := range missing {
			event := g.pool[e]
			if event == nil {
				rest = append(rest, e)
				continue
			}
			delete(g.pool, e)
			found = append(found, event)
			g.bytes += event.EncodedSize()
		}
		if g.found = append(g.found, found...); len(g.found) > gapEvents || g.bytes > gapBytes {
			return nil, errGap
		}
		if len(found) > 0 || len(rest) == 0 {
			return found, nil // what these are on top of comes first; then the rest is asked for
		}
		if err := g.ask(ctx, rest); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(rest, func(e id.EventID) bool { return g.pool[e] != nil }) {
			return nil, fmt.Errorf("%w: %d of them, the first is %s", errNowhere, len(rest), rest[0])
		}
		missing = rest
	}
	return found, nil
}

// ask asks the peer for events.
func (g *gap) ask(ctx context.Context, events proto.Clock) error {
	g.lookups++
	g.out.must(&proto.Lookup{Request: g.lookups, Events: events[:min(len(events), proto.MaxLookup)], Known: g.known})
	timer := time.NewTimer(g.node.limits.Request)
	defer timer.Stop()
	select {
	case m := <-g.exchange.found:
		if m.Request != g.lookups {
			return errUnasked
		}
		clear(g.pool)
		for _, e := range m.Events {
			g.pool[e.ID] = e
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: a lookup was not answered", context.DeadlineExceeded)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// chunk returns how many of the events that were found go into one transaction.
func (g *gap) chunk() (n int) {
	size := 0
	for n < len(g.found) && n < proto.MaxTxEvents {
		if size += g.found[n].EncodedSize(); size > proto.MaxTxBytes && n > 0 {
			break
		}
		n++
	}
	return n
}
