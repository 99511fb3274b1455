package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Inspection is what there is to see of a store, and of the server that has it.
type Inspection struct {
	Node        string       `json:"node"`
	Store       string       `json:"store"` // "" of one that was restored, and not opened since
	System      string       `json:"system"`
	Bytes       int64        `json:"bytes,omitempty"` // that the store takes; 0 where the engine does not say
	Feeds       []Feed       `json:"feeds"`
	Collections []Collection `json:"collections"`
	Server      *Server      `json:"server,omitempty"` // of a server that runs
}

// Feed is a change feed of the store.
type Feed struct {
	ID   string `json:"id"`
	Last uint64 `json:"last"` // entry
}

// Collection is one collection, with its model.
type Collection struct {
	Name       string   `json:"name"`
	Entities   int64    `json:"entities"` // deleted ones excluded
	Properties []string `json:"properties"`
	Indexes    []string `json:"indexes"`
}

// Server is a server that runs.
type Server struct {
	Version     string `json:"version"`
	Uptime      string `json:"uptime"`
	Status      string `json:"status"` // "ready", or why it is not
	Connections int    `json:"connections"`
	Watches     int    `json:"watches"` // predicates of open queries
	Peers       []Peer `json:"peers"`
}

// Peer is a node that is connected.
type Peer struct {
	Node          string         `json:"node"`
	Remote        string         `json:"remote"`
	User          string         `json:"user"`
	Durable       bool           `json:"durable"`
	Subscriptions []Subscription `json:"subscriptions"`
}

// Subscription is a selection that a peer has open.
type Subscription struct {
	Collection string `json:"collection"`
	Selection  string `json:"selection"`
}

// Entity is an entity with its history, the latest event first.
type Entity struct {
	ID         string     `json:"id"`
	Collection string     `json:"collection"`
	Deleted    bool       `json:"deleted"`
	Revision   uint64     `json:"revision"`
	Head       []string   `json:"head"`
	Properties []Property `json:"properties"`
	Events     []Event    `json:"events"`
	Earlier    bool       `json:"earlier"` // there are more than those events
}

// Property is a property with its value in words.
type Property struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Before string `json:"before,omitempty"` // of an event: what its author saw
}

// Event is one event of a history.
type Event struct {
	ID      string     `json:"id"`
	Time    time.Time  `json:"time"`
	Author  string     `json:"author"`
	User    string     `json:"user"`
	Parents []string   `json:"parents"`
	Changes []Property `json:"changes"`
}

// InspectStore looks at a store without a node.
func InspectStore(ctx context.Context, store storage.Engine) (*Inspection, error) {
	who, err := core.ReadIdentity(ctx, store)
	if err != nil {
		return nil, err
	}
	models, err := core.ReadModels(ctx, store)
	if err != nil {
		return nil, err
	}
	return inspect(ctx, store, who, models)
}

func inspect(ctx context.Context, store storage.Engine, who core.Identity, models []*schema.Model) (*Inspection, error) {
	in := &Inspection{Node: who.Node.String(), System: who.System.String()}
	if !who.Store.IsZero() {
		in.Store = who.Store.String()
	}
	if walker, ok := store.(storage.Walker); ok {
		feeds, err := walker.Feeds(ctx)
		if err != nil {
			return nil, err
		}
		for feed, last := range feeds {
			in.Feeds = append(in.Feeds, Feed{feed.String(), last})
		}
		slices.SortFunc(in.Feeds, func(a, b Feed) int { return compareText(a.ID, b.ID) })
	}
	if sizer, ok := store.(storage.Sizer); ok {
		var err error
		if in.Bytes, err = sizer.Size(ctx); err != nil {
			return nil, err
		}
	}
	for _, m := range models {
		c, err := inspectCollection(ctx, store, m)
		if err != nil {
			return nil, fmt.Errorf("collection %s: %w", m.Collection, err)
		}
		in.Collections = append(in.Collections, *c)
	}
	return in, nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func inspectCollection(ctx context.Context, store storage.Engine, m *schema.Model) (*Collection, error) {
	c := &Collection{Name: m.Collection}
	for i := range m.Properties {
		p := &m.Properties[i]
		text := fmt.Sprintf("%s %s", p.Name, p.Type)
		if p.Target != "" {
			text += " of " + p.Target
		}
		if p.Optional {
			text += ", optional"
		}
		c.Properties = append(c.Properties, text)
	}
	slices.Sort(c.Properties)
	if indexer, ok := store.(storage.Indexer); ok {
		indexes, err := indexer.Indexes(ctx, m.Collection)
		if err != nil {
			return nil, err
		}
		for _, ix := range indexes {
			text := ix.Columns + ": " + string(ix.State)
			if ix.Unique {
				text += ", unique"
			}
			if !ix.Declared {
				text += ", automatic"
			}
			c.Indexes = append(c.Indexes, text)
		}
	}
	var err error
	c.Entities, err = count(ctx, store, m.Collection)
	return c, err
}

// count returns how many entities of a collection are not deleted.
func count(ctx context.Context, store storage.Engine, collection string) (total int64, err error) {
	if counter, ok := store.(storage.Counter); ok {
		for after := []byte(nil); ; {
			page, err := counter.Count(ctx, collection, ankql.True, after, storage.MaxPage)
			if err != nil {
				return 0, err
			}
			total += page.Count
			if !page.More {
				return total, nil
			}
			after = page.Next
		}
	}
	all := &ankql.Selection{Where: ankql.True, Limit: ankql.NoLimit}
	for after := []byte(nil); ; {
		page, err := store.Scan(ctx, collection, all, after, 512)
		if err != nil {
			return 0, err
		}
		total += int64(len(page.Records))
		if !page.More {
			return total, nil
		}
		after = page.Next
	}
}

// How much of a history is shown, and how much is read for that.
const (
	shownEvents = 100
	readEvents  = 100_000
)

// InspectEntity returns an entity with its history, nil where there is none.
func InspectEntity(ctx context.Context, store storage.Engine, e id.EntityID) (*Entity, error) {
	records, err := store.Records(ctx, []id.EntityID{e})
	if err != nil || records[0] == nil {
		return nil, err
	}
	rec := records[0]
	out := &Entity{ID: e.String(), Collection: rec.Collection, Deleted: rec.State.Deleted(), Revision: rec.Rev, Head: texts(rec.State.Head)}
	for i := range rec.State.Properties {
		p := &rec.State.Properties[i]
		out.Properties = append(out.Properties, Property{Name: p.Name, Value: p.Value.String()})
	}
	var events []*proto.Event
	for after, whole := (id.EventID{}), false; !whole; {
		page, err := store.EntityEvents(ctx, e, after, 512)
		if err != nil {
			return nil, err
		}
		if len(events) > readEvents {
			return nil, fmt.Errorf("a history of more than %d events", readEvents)
		}
		events = append(events, page...)
		if whole = len(page) < 512; len(page) > 0 {
			after = page[len(page)-1].ID
		}
	}
	err = entity.Replay(events, func(s entity.Step) bool {
		out.Events = append(out.Events, describe(&s))
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(out.Events)
	if len(out.Events) > shownEvents {
		out.Events, out.Earlier = out.Events[:shownEvents], true
	}
	return out, nil
}

func describe(s *entity.Step) Event {
	ev := s.Event
	out := Event{ID: ev.ID.String(), Time: ev.ID.Stamp().Time().UTC(), Author: ev.Author.String(), User: ev.User, Parents: texts(ev.Parents)}
	for i := range ev.Operations {
		p := Property{Name: ev.Operations[i].Property, Value: s.After.Field(ev.Operations[i].Property).String()}
		if s.Before != nil {
			p.Before = s.Before.Field(p.Name).String()
		}
		out.Changes = append(out.Changes, p)
	}
	return out
}

func texts(c proto.Clock) []string {
	out := make([]string, len(c))
	for i, ev := range c {
		out[i] = ev.String()
	}
	return out
}
