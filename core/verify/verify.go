package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// ErrNoWalk is what Store returns for an engine that does not walk.
var ErrNoWalk = errors.New("verify: the engine cannot go through everything that it holds")

// Options are the settings of Store; the zero value has the defaults.
type Options struct {
	// Keep is how many findings the report has at most; further ones are counted. Default
	// 1000.
	Keep int
	// Progress is told how far it is, now and then; it returns soon.
	Progress func(Counts)
}

// Counts are what was looked at.
type Counts struct {
	Entities uint64 // with a record, deleted ones included
	Deleted  uint64
	Events   uint64
	Entries  uint64 // of feeds
}

// Report is what was found.
type Report struct {
	Counts
	Collections map[string]uint64 // entities that are not deleted, by collection
	Findings    []Finding
	Found       uint64 // findings, kept or not
}

// Problem says what kind of thing is wrong. The texts are for people and for scripts, and do
// not change.
type Problem string

// The problems.
const (
	Unreadable      Problem = "unreadable"       // a row cannot be decoded, or is another one's
	MissingParent   Problem = "missing-parent"   // an event was made on top of one that is not there
	NotApplicable   Problem = "not-applicable"   // an event cannot follow those before it
	WrongCollection Problem = "wrong-collection" // an entity's event or record names another collection
	WrongHead       Problem = "wrong-head"       // a record's head is not what the events lead to
	WrongState      Problem = "wrong-state"      // a record's properties are not what the events lead to
	NoRecord        Problem = "no-record"        // events without a record
	NoEvents        Problem = "no-events"        // a record without events
	Unconfirmed     Problem = "unconfirmed"      // a record with changes that no durable node has
	FeedGap         Problem = "feed-gap"         // an entry is not there
	FeedNames       Problem = "feed-names"       // an entry names what is not there
	FeedSum         Problem = "feed-sum"         // feeds and entities do not add up
	ScanDiffers     Problem = "scan-differs"     // a scan does not return the entities that there are
)

// Finding is one thing that is wrong.
type Finding struct {
	Problem Problem
	Entity  id.EntityID // zero where it is about none
	Detail  string
}

// String says it on one line.
func (f Finding) String() string {
	if f.Entity.IsZero() {
		return fmt.Sprintf("%s: %s", f.Problem, f.Detail)
	}
	return fmt.Sprintf("%s: entity %s: %s", f.Problem, f.Entity, f.Detail)
}

// Store verifies what an engine holds, of which no node is open that writes.
func Store(ctx context.Context, engine storage.Engine, o Options) (*Report, error) {
	walker, ok := engine.(storage.Walker)
	if !ok {
		return nil, ErrNoWalk
	}
	if o.Keep <= 0 {
		o.Keep = 1000
	}
	c := &check{engine: engine, walker: walker, options: o}
	c.report.Collections = map[string]uint64{}
	for _, step := range []func(context.Context) error{c.entities, c.feeds, c.scans} {
		if err := step(ctx); err != nil {
			return &c.report, err
		}
	}
	return &c.report, nil
}

// check is one verification.
type check struct {
	engine  storage.Engine
	walker  storage.Walker
	options Options
	report  Report

	revisions uint64 // of all records, added up
	sum       bool   // whether that is worth comparing
}

func (c *check) found(p Problem, entity id.EntityID, format string, args ...any) {
	c.report.Found++
	if len(c.report.Findings) < c.options.Keep {
		c.report.Findings = append(c.report.Findings, Finding{p, entity, fmt.Sprintf(format, args...)})
	}
}

// progressEvery is how many items there are from one report of progress to the next.
const progressEvery = 4096

func (c *check) progress(n uint64) {
	if c.options.Progress != nil && n%progressEvery == 0 {
		c.options.Progress(c.report.Counts)
	}
}
