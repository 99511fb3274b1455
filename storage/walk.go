package storage

import "context"

// Walk goes through everything that a store holds entity by entity, in pages whose memory is
// bounded: of each entity the record, where it has one, then the events, where it has any. It
// is not safe for concurrent use.
type Walk struct {
	walker  Walker
	records walkPages[StoredRecord]
	events  walkPages[StoredEvent]
	average int // bytes of an item, of those seen last above all
}

// NewWalk returns a walk that begins behind an event, or behind a record where the event of
// the key is zero; the zero key is the beginning.
func NewWalk(w Walker, after EventKey) *Walk {
	walk := &Walk{walker: w}
	walk.records.last.Entity = after.Entity
	walk.events.last.Key = after
	return walk
}

// Next returns the next item, which is a record or an event: the other is nil. Both are at
// the end.
func (w *Walk) Next(ctx context.Context) (*StoredRecord, *StoredEvent, error) {
	err := w.records.fill(w.limit(), func(last StoredRecord, limit int) ([]StoredRecord, error) {
		return w.walker.WalkRecords(ctx, last.Entity, limit)
	})
	if err != nil {
		return nil, nil, err
	}
	err = w.events.fill(w.limit(), func(last StoredEvent, limit int) ([]StoredEvent, error) {
		return w.walker.WalkEvents(ctx, last.Key, limit)
	})
	if err != nil {
		return nil, nil, err
	}
	record, event := w.records.head(), w.events.head()
	if record != nil && (event == nil || record.Entity.Compare(event.Key.Entity.ULID) <= 0) {
		w.records.page = w.records.page[1:]
		w.learn(record.size())
		return record, nil, nil
	}
	if event != nil {
		w.events.page = w.events.page[1:]
		w.learn(event.size())
	}
	return nil, event, nil
}

// A page has fewer items where they are large.
const (
	walkPageBytes = 4 << 20
	walkPageItems = 512
)

func (w *Walk) learn(size int) { w.average += (size - w.average) / 8 }

func (w *Walk) limit() int { return max(8, min(walkPageItems, walkPageBytes/(w.average+1))) }

func (r *StoredRecord) size() int {
	if r.Record == nil {
		return 0
	}
	size := 0
	for i := range r.Record.State.Properties {
		p := &r.Record.State.Properties[i]
		size += len(p.Name) + p.Value.Size() + len(p.Data)
	}
	return size
}

func (e *StoredEvent) size() int {
	if e.Event == nil {
		return 0
	}
	return e.Event.EncodedSize()
}

// walkPages reads pages of one kind of item.
type walkPages[T any] struct {
	last  T // that was read
	page  []T
	ended bool
}

// fill reads the next page when the last one is used up.
func (p *walkPages[T]) fill(limit int, next func(last T, limit int) ([]T, error)) (err error) {
	if len(p.page) > 0 || p.ended {
		return nil
	}
	if p.page, err = next(p.last, limit); err != nil {
		return err
	}
	p.ended = len(p.page) < limit
	if n := len(p.page); n > 0 {
		p.last = p.page[n-1]
	}
	return nil
}

func (p *walkPages[T]) head() *T {
	if len(p.page) == 0 {
		return nil
	}
	return &p.page[0]
}
