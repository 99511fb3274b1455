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
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// RestoreOptions are the settings of a restore; the zero value has the defaults.
type RestoreOptions struct {
	// Report is told of progress, after each commit; it returns soon. A restore that goes on
	// with an earlier one reports what it passes over, too.
	Report func(Progress)
}

// Restored is how far an engine is with what is restored into it.
type Restored struct {
	Header Header
	Cursor Cursor
	Feed   id.NodeID // of the restored store
	Last   uint64    // entry in it
}

// Begun returns how far an earlier restore into the engine has come, nil where there was none
// or it has been brought to its end.
func Begun(ctx context.Context, engine storage.Engine) (*Restored, error) {
	meta, err := engine.Meta(ctx, core.MetaRestoring)
	if err != nil || meta[0] == nil {
		return nil, err
	}
	s, err := DecodeRestored(meta[0])
	if err != nil {
		return nil, fmt.Errorf("%w: the progress of a restore: %w", storage.ErrCorrupt, err)
	}
	return s, nil
}

// Encode returns s for DecodeRestored.
func (s *Restored) Encode() []byte {
	b := msgpack.AppendArrayLen(nil, 4)
	b = msgpack.AppendBytes(b, appendHeader(nil, &s.Header))
	b = appendCursor(b, s.Cursor)
	b = proto.AppendID(b, s.Feed.ULID)
	return msgpack.AppendUint(b, s.Last)
}

// DecodeRestored reads what Encode returned.
func DecodeRestored(b []byte) (*Restored, error) {
	r := msgpack.NewReader(b)
	r.Array(4)
	header := r.Bytes()
	s := &Restored{Cursor: readCursor(&r), Feed: id.NodeID{ULID: proto.ReadID(&r)}, Last: r.Uint()}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	h, err := decodeHeader(header)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	s.Header = *h
	return s, nil
}

// Progress returns what a dump is to go on behind.
func (s *Restored) Progress() *Progress { return &Progress{Header: &s.Header, Cursor: s.Cursor} }

func (s *Restored) entry() storage.MetaEntry {
	return storage.MetaEntry{Key: core.MetaRestoring, Value: s.Encode()}
}

// Restore brings what an archive holds into an engine, which is empty, or into which a part
// of the archive was restored before; no node opens the engine before the archive's end was
// reached. It returns what was read. Where the archive is cut off or damaged, everything
// before that has been restored, and a whole archive can be gone on with.
func Restore(ctx context.Context, engine storage.Engine, from *Reader, o RestoreOptions) (Progress, error) {
	r := &restore{engine: engine, reader: from, report: o.Report}
	if r.report == nil {
		r.report = func(Progress) {}
	}
	err := r.begin(ctx)
	for err == nil && !r.ended {
		err = r.step(ctx)
	}
	return r.progress(), err
}

// restore is one that is being made.
type restore struct {
	engine  storage.Engine
	reader  *Reader
	report  func(Progress)
	state   *Restored
	passing bool // what comes was restored before, up to the state's cursor
	marked  bool
	ended   bool
}

func (r *restore) progress() Progress {
	p := Progress{Header: r.reader.Header(), Counts: r.reader.Counts(), Bytes: r.reader.Offset(), CaughtUp: r.marked}
	if r.state != nil {
		p.Cursor = r.state.Cursor
	}
	return p
}

// begin finds out where to go on, or that the engine is empty.
func (r *restore) begin(ctx context.Context) (err error) {
	header := *r.reader.Header()
	after := header.After
	header.After = Cursor{}
	if r.state, err = Begun(ctx, r.engine); err != nil {
		return err
	}
	if r.state == nil {
		if !after.Equal(Cursor{}) {
			return fmt.Errorf("%w: the archive goes on with an earlier one, of which nothing is here", ErrOther)
		}
		if err := checkEmpty(ctx, r.engine); err != nil {
			return err
		}
		r.state = &Restored{Header: header, Feed: id.NodeID{ULID: id.New(entropy.Reader)}}
		return r.engine.Commit(ctx, &storage.Batch{Meta: []storage.MetaEntry{r.state.entry()}})
	}
	switch {
	case r.state.Header.Archive != header.Archive:
		return fmt.Errorf("%w: one of store %s, begun on %s", ErrOther, r.state.Header.Store, r.state.Header.Created.Format(time.DateTime))
	case after.Equal(r.state.Cursor):
		return nil
	case !after.Equal(Cursor{}):
		return fmt.Errorf("%w: the archive does not go on where the store is", ErrOther)
	}
	r.passing = true
	return nil
}

// checkEmpty reports what an engine holds that is to hold nothing.
func checkEmpty(ctx context.Context, engine storage.Engine) error {
	found, err := core.ReadIdentity(ctx, engine)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOccupied, err)
	}
	if found != (core.Identity{}) {
		return fmt.Errorf("%w: it is that of node %s", ErrOccupied, found.Node)
	}
	walker, ok := engine.(storage.Walker)
	if !ok {
		return nil
	}
	records, err := walker.WalkRecords(ctx, id.EntityID{}, 1)
	if err != nil {
		return err
	}
	events, err := walker.WalkEvents(ctx, storage.EventKey{}, 1)
	if err != nil {
		return err
	}
	if len(records)+len(events) > 0 {
		return fmt.Errorf("%w: it has entities", ErrOccupied)
	}
	return nil
}

// step restores one chunk.
func (r *restore) step(ctx context.Context) error {
	chunk, err := r.reader.Next()
	if err != nil {
		return err
	}
	r.marked = false
	switch c := chunk.(type) {
	case *Data:
		if r.passing {
			r.passing = !c.Cursor.Equal(r.state.Cursor)
		} else if err := r.data(ctx, c); err != nil {
			return err
		}
	case *Mark:
		r.marked = true
	case *End:
		if r.passing {
			return fmt.Errorf("%w: it ends before where the store is", ErrOther)
		}
		if _, err := r.reader.Next(); !errors.Is(err, io.EOF) {
			return err // something follows
		}
		if err := r.finish(ctx); err != nil {
			return err
		}
		r.ended = true
	}
	r.report(r.progress())
	return nil
}

// data commits a chunk, with how far one is then.
func (r *restore) data(ctx context.Context, d *Data) error {
	next := *r.state
	next.Cursor = d.Cursor
	batch := &storage.Batch{FeedID: next.Feed}
	latest := map[id.EntityID]*proto.Record{}
	for i := range d.Items {
		switch item := &d.Items[i]; {
		case item.Event != nil:
			batch.Events = append(batch.Events, item.Event)
		case item.Record != nil:
			if known := latest[item.Record.Entity]; known == nil || known.Rev < item.Record.Rev {
				latest[item.Record.Entity] = item.Record
			}
		default:
			next.Last++
			entry := *item.Entry
			entry.Seq = next.Last
			batch.Feed = append(batch.Feed, &entry)
		}
	}
	batch.Meta = []storage.MetaEntry{next.entry()}
	moves := !next.Cursor.Equal(r.state.Cursor)
	err := r.certainly(ctx, func(again bool) (err error) {
		if again && moves {
			if there, err := Begun(ctx, r.engine); err != nil || there != nil && there.Cursor.Equal(next.Cursor) {
				return err // it was stored
			}
		}
		if batch.Records, err = r.writes(ctx, latest, d.Cursor.Walked); err != nil {
			return err
		}
		return r.engine.Commit(ctx, batch)
	})
	if err == nil {
		r.state = &next
	}
	return err
}

// writes returns the records that are to be written: all that are new, and of those that may
// be there already those that are later.
func (r *restore) writes(ctx context.Context, latest map[id.EntityID]*proto.Record, known bool) ([]storage.RecordWrite, error) {
	writes := make([]storage.RecordWrite, 0, len(latest))
	var entities []id.EntityID
	for entity, rec := range latest {
		if known {
			entities = append(entities, entity)
		} else {
			writes = append(writes, storage.RecordWrite{Record: rec})
		}
	}
	if !known {
		return writes, nil
	}
	stored, err := r.engine.Records(ctx, entities)
	if err != nil {
		return nil, err
	}
	for i, entity := range entities {
		switch rec := latest[entity]; {
		case stored[i] == nil:
			writes = append(writes, storage.RecordWrite{Record: rec})
		case stored[i].Rev < rec.Rev:
			writes = append(writes, storage.RecordWrite{Record: rec, Expect: stored[i].State.Head})
		}
	}
	return writes, nil
}

// A commit whose outcome is unknown is made again so often, after longer and longer rests: a
// database that is started again is waited for.
const (
	attempts  = 30
	firstRest = 50 * time.Millisecond
	longRest  = 2 * time.Second
)

// certainly has a commit made until it is known to be stored, or known to have failed.
func (r *restore) certainly(ctx context.Context, commit func(again bool) error) error {
	for attempt := 1; ; attempt++ {
		err := commit(attempt > 1)
		if err == nil || !errors.Is(err, storage.ErrUnavailable) || attempt == attempts {
			return err
		}
		select {
		case <-time.After(min(time.Duration(attempt)*firstRest, longRest)):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// finish makes the store one that a node opens.
func (r *restore) finish(ctx context.Context) error {
	h := &r.state.Header
	batch := &storage.Batch{Meta: append([]storage.MetaEntry{{Key: core.MetaRestoring}}, h.Meta...)}
	batch.Meta = append(batch.Meta, core.RestoredMetadata(h.System, r.state.Feed, r.state.Last)...)
	return r.certainly(ctx, func(bool) error { return r.engine.Commit(ctx, batch) })
}
