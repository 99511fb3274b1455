package kv

import (
	"bytes"
	"sort"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// window keeps the rows with the least sort keys of those offered, at most limit, and not
// many more bytes than a page has. It collects up to twice as much and then drops the greater
// half, which takes the logarithm of limit per row at worst, and one comparison once the
// window is settled.
type window struct {
	limit int
	kept  []keptRow
	bytes int    // of kept
	bound []byte // no row with this key or a greater one can be in the page
	more  bool   // some row was dropped
}

type keptRow struct {
	key, row []byte
	entity   id.EntityID
}

func (k *keptRow) size() int { return len(k.key) + len(k.row) }

// roomyRow is up to which size the room of a row that was dropped is used again.
const roomyRow = 4 << 10

// offer copies what it keeps.
func (w *window) offer(key []byte, entity id.EntityID, row []byte) {
	if w.bound != nil && bytes.Compare(key, w.bound) >= 0 {
		w.more = true
		return
	}
	if len(w.kept) < cap(w.kept) {
		w.kept = w.kept[:len(w.kept)+1] // with the buffers of a row that was dropped
	} else {
		w.kept = append(w.kept, keptRow{})
	}
	k := &w.kept[len(w.kept)-1]
	k.key, k.row, k.entity = append(k.key[:0], key...), append(k.row[:0], row...), entity
	w.bytes += k.size()
	if len(w.kept) >= max(2*w.limit, 64) || w.bytes > 2*storage.MaxPageBytes {
		w.settle()
	}
}

// settle sorts the window and drops what is beyond the limit.
func (w *window) settle() {
	sort.Slice(w.kept, func(i, j int) bool { return bytes.Compare(w.kept[i].key, w.kept[j].key) < 0 })
	n := 0
	for w.bytes = 0; n < min(len(w.kept), w.limit); n++ {
		size := w.kept[n].size()
		if n > 0 && w.bytes+size > storage.MaxPageBytes {
			break
		}
		w.bytes += size
	}
	if n == len(w.kept) {
		return
	}
	for i := range w.kept[n:] {
		if dropped := &w.kept[n+i]; cap(dropped.key)+cap(dropped.row) > roomyRow {
			*dropped = keptRow{}
		}
	}
	w.kept, w.more = w.kept[:n], true
	w.bound = append(w.bound[:0], w.kept[n-1].key...)
}

// page decodes the window, which is not used afterwards.
func (w *window) page(collection string) (*storage.Page, error) {
	w.settle()
	page := &storage.Page{More: w.more}
	for i := range w.kept {
		rec, err := decodeRow(collection, w.kept[i].entity, w.kept[i].row)
		if err != nil {
			return nil, err
		}
		page.Records = append(page.Records, rec)
	}
	if w.more {
		page.Next = w.kept[len(w.kept)-1].key
	}
	return page, nil
}
