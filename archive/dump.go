package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/entropy"
	"github.com/ankurah-go/ankurah/storage"
)

// DumpOptions are the settings of a dump; the zero value has the defaults.
type DumpOptions struct {
	Writer WriterOptions
	// From goes on with another archive of the same store, behind what was restored of it.
	From *Progress
	// Follow keeps the dump going when it has everything: it marks that, and goes on with
	// what is committed, until its context ends. It never writes the end.
	Follow bool
	// Poll is how long a dump that follows rests when nothing was committed; default 200 ms.
	Poll time.Duration
	// Still, if it is not nil, calls read at a moment at which nothing is being committed.
	// Without it, the dump of a store that is being written to, and is not storage.Shared,
	// ends when it has caught up and nothing was committed while it looked.
	Still func(ctx context.Context, read func(context.Context) error) error
	// Report is told of progress, after each page; it returns soon.
	Report func(Progress)
}

// Progress is how far a dump or a restore is.
type Progress struct {
	Header *Header
	Cursor Cursor
	Counts Counts // of this archive
	Bytes  int64  // of the archive, written or read
	// CaughtUp says that a dump that follows has everything.
	CaughtUp bool
}

// Dump writes everything that a store holds, and returns how much that was.
func Dump(ctx context.Context, engine storage.Engine, out io.Writer, o DumpOptions) (Progress, error) {
	d, err := newDump(ctx, engine, o)
	if err != nil {
		return Progress{}, err
	}
	if d.header, err = d.begin(ctx); err != nil {
		return Progress{}, err
	}
	if d.writer, err = NewWriter(out, d.header, o.Writer); err != nil {
		return Progress{}, err
	}
	defer d.writer.Close()
	return d.run(ctx)
}

// Resume goes on with a dump into a file that was interrupted; an empty file is a new one.
// It fails where the file is an archive of another store, or complete (ErrComplete).
func Resume(ctx context.Context, engine storage.Engine, file File, o DumpOptions) (Progress, error) {
	d, err := newDump(ctx, engine, o)
	if err != nil {
		return Progress{}, err
	}
	if d.writer, d.header, err = Continue(file, o.Writer); err != nil {
		return Progress{}, err
	}
	defer d.writer.Close()
	if d.header.Store != d.identity.Store || d.header.System != d.identity.System {
		return Progress{}, fmt.Errorf("%w: the file is an archive of store %s, this is store %s", ErrOther, d.header.Store, d.identity.Store)
	}
	return d.run(ctx)
}

// dump is one that is being made.
type dump struct {
	engine   storage.Engine
	walker   storage.Walker
	options  DumpOptions
	identity core.Identity
	header   *Header
	writer   *Writer
	cursor   Cursor // behind what was added
}

func newDump(ctx context.Context, engine storage.Engine, o DumpOptions) (*dump, error) {
	if o.Poll <= 0 {
		o.Poll = 200 * time.Millisecond
	}
	d := &dump{engine: engine, options: o}
	var ok bool
	if d.walker, ok = engine.(storage.Walker); !ok {
		return nil, fmt.Errorf("%w: its engine does not walk", ErrUnsuited)
	}
	var err error
	if d.identity, err = core.ReadIdentity(ctx, engine); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsuited, err)
	}
	if d.identity.System.IsZero() {
		return nil, fmt.Errorf("%w: it is part of no system yet", ErrUnsuited)
	}
	return d, nil
}

// begin makes the header of a new archive, or of one that goes on with another.
func (d *dump) begin(ctx context.Context) (*Header, error) {
	h := &Header{
		Archive: id.New(entropy.Reader), Created: time.Now().UTC().Truncate(time.Microsecond),
		Store: d.identity.Store, System: d.identity.System,
	}
	if from := d.options.From; from != nil {
		if from.Header.Store != h.Store || from.Header.System != h.System {
			return nil, fmt.Errorf("%w: it is of store %s, this is store %s", ErrOther, from.Header.Store, h.Store)
		}
		whole := *from.Header
		whole.After = from.Cursor
		return &whole, nil
	}
	ends, err := d.walker.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	var c Cursor
	for feed, seq := range ends {
		c.saw(feed, seq)
	}
	h.Feeds = c.Feeds
	return h, nil
}

// run writes everything behind where the writer is.
func (d *dump) run(ctx context.Context) (Progress, error) {
	d.cursor = d.writer.Cursor()
	steps := []func(context.Context) error{d.entities, d.past, d.recent}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			// What is written stays good, and can be gone on with.
			return d.progress(), errors.Join(err, d.writer.Flush())
		}
	}
	err := d.writer.End()
	return d.progress(), err
}

func (d *dump) progress() Progress {
	return Progress{Header: d.header, Cursor: d.cursor, Counts: d.writer.Counts(), Bytes: d.writer.Offset()}
}

func (d *dump) report(caughtUp bool) {
	if d.options.Report != nil {
		p := d.progress()
		p.CaughtUp = caughtUp
		d.options.Report(p)
	}
}

// entities writes records and events, entity by entity.
func (d *dump) entities(ctx context.Context) error {
	if d.cursor.Walked {
		return nil
	}
	walk := storage.NewWalk(d.walker, d.cursor.Last)
	for n := 1; ; n++ {
		record, event, err := walk.Next(ctx)
		switch {
		case err != nil:
			return err
		case record != nil:
			err = d.add(&Item{Record: record.Record}, record.Err, storage.EventKey{Entity: record.Entity})
		case event != nil:
			err = d.add(&Item{Event: event.Event}, event.Err, event.Key)
		default:
			d.cursor.Walked = true
			return d.writer.Move(d.cursor)
		}
		if err != nil {
			return err
		}
		if n%reportEvery == 0 {
			d.report(false)
		}
	}
}

// reportEvery is how many items there are from one report of progress to the next.
const reportEvery = 1024

func (d *dump) add(item *Item, unreadable error, at storage.EventKey) error {
	if unreadable != nil {
		return unreadable
	}
	d.cursor.Last = at
	return d.writer.Add(item, d.cursor)
}
