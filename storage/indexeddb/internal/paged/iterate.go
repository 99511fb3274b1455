package paged

import "bytes"

// cursor goes through the entries of one block in one direction.
type cursor struct {
	block *block
	at    int
	stop  int // where at is when there are no more
	step  int // 1 or -1
	key   []byte
}

// newCursor goes through the entries with start <= key < end, nil being no bound.
func newCursor(b *block, start, end []byte, reverse bool) cursor {
	lo, hi := 0, b.len()
	if start != nil {
		lo = b.seek(start, 0)
	}
	if end != nil {
		hi = max(lo, b.seek(end, b.len()))
	}
	c := cursor{block: b, at: lo, stop: hi, step: 1}
	if reverse {
		c = cursor{block: b, at: hi - 1, stop: lo - 1, step: -1}
	}
	c.load()
	return c
}

func (c *cursor) done() bool { return c.at == c.stop }

func (c *cursor) load() {
	if !c.done() {
		c.key = c.block.key(c.at)
	}
}

func (c *cursor) advance() {
	c.at += c.step
	c.load()
}

// pageSource hands out the pages below the overlay one after the other.
type pageSource interface {
	// next returns a cursor over the next page's entries, and false if there is none.
	next() (cursor, bool, error)
}

// iterator goes through the union of several blocks and of a row of pages. Of entries
// with one key it shows the newest, deletions included.
type iterator struct {
	cursors []cursor // newest first; those of the pages are the last one
	pages   pageSource
	reverse bool

	best  int    // the cursor that is read, -1 if that is to be found out
	bound []byte // it is the right one as long as its key comes before this; nil is no bound
}

// newIterator goes through the overlay and, unless that is nil, the pages.
func newIterator(o overlay, pages pageSource, start, end []byte, reverse bool) *iterator {
	it := &iterator{pages: pages, reverse: reverse, best: -1}
	for i := len(o) - 1; i >= 0; i-- {
		if c := newCursor(o[i], start, end, reverse); !c.done() {
			it.cursors = append(it.cursors, c)
		}
	}
	it.cursors = append(it.cursors, cursor{})
	return it
}

// clone returns an iterator at the same place; there must be no pages.
func (it *iterator) clone() *iterator {
	c := *it
	c.cursors = append([]cursor(nil), it.cursors...)
	return &c
}

func (it *iterator) before(a, b []byte) bool {
	c := bytes.Compare(a, b)
	if it.reverse {
		return c > 0
	}
	return c < 0
}

// next returns the next entry; value is nil for a deletion, key for the end.
func (it *iterator) next() (key, value []byte, err error) {
	if it.best < 0 {
		if err := it.choose(); err != nil || it.best < 0 {
			return nil, nil, err
		}
	}
	c := &it.cursors[it.best]
	key, value = c.block.entry(c.at)
	c.advance()
	if c.done() || it.bound != nil && !it.before(c.key, it.bound) {
		it.best = -1
	}
	return key, value, nil
}

// peek returns the key that next will return, nil at the end.
func (it *iterator) peek() ([]byte, error) {
	if it.best < 0 {
		if err := it.choose(); err != nil || it.best < 0 {
			return nil, err
		}
	}
	return it.cursors[it.best].key, nil
}

// choose finds the cursor whose key comes first, passes over what it hides in the
// others, and notes how far it may be read without looking at them.
func (it *iterator) choose() error {
	if err := it.refill(); err != nil {
		return err
	}
	for i := range it.cursors {
		c := &it.cursors[i]
		if !c.done() && (it.best < 0 || it.before(c.key, it.cursors[it.best].key)) {
			it.best = i
		}
	}
	if it.best < 0 {
		return nil
	}
	key := it.cursors[it.best].key
	for i := it.best + 1; i < len(it.cursors); i++ {
		if c := &it.cursors[i]; !c.done() && bytes.Equal(c.key, key) {
			c.advance()
		}
	}
	if it.best != len(it.cursors)-1 {
		if err := it.refill(); err != nil {
			it.best = -1
			return err
		}
	}
	it.bound = nil
	for i := range it.cursors {
		c := &it.cursors[i]
		if i != it.best && !c.done() && (it.bound == nil || it.before(c.key, it.bound)) {
			it.bound = c.key
		}
	}
	return nil
}

// refill puts the next page in place of one that was read.
func (it *iterator) refill() error {
	pages := &it.cursors[len(it.cursors)-1]
	for pages.done() && it.pages != nil {
		c, ok, err := it.pages.next()
		if err != nil {
			return err
		}
		if !ok {
			it.pages = nil
			return nil
		}
		*pages = c
	}
	return nil
}
