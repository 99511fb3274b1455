package paged

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// errMiss: a page is not in memory, and the view may not read it.
var errMiss = errors.New("page not in memory")

const (
	// maxReadAhead is how many pages a scan reads at once, once it has come that far.
	maxReadAhead = 32
	// maxPagesAtOnce is how many pages one transaction reads at most.
	maxPagesAtOnce = 64
)

// view is what one call reads (P5).
type view struct {
	store     *Store
	ctx       context.Context
	overlay   overlay
	directory *directory
	mayRead   bool // the call shares the gate
}

// view returns a view that reads memory only.
func (s *Store) view(ctx context.Context) *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &view{store: s, ctx: ctx, overlay: s.mu.overlay, directory: s.mu.directory}
}

// viewDisk returns a view that may read pages; the caller ends it by s.gate.unshare.
func (s *Store) viewDisk(ctx context.Context) (*view, error) {
	if err := s.gate.share(ctx); err != nil {
		return nil, err
	}
	if err := s.trustDirectory(ctx); err != nil {
		s.gate.unshare()
		return nil, err
	}
	v := s.view(ctx)
	v.mayRead = true
	return v, nil
}

// read runs f over a view in memory, and again over one that may read pages if that is
// not enough.
func (s *Store) read(ctx context.Context, f func(*view) error) error {
	err := f(s.view(ctx))
	if err != errMiss {
		return err
	}
	v, err := s.viewDisk(ctx)
	if err != nil {
		return err
	}
	defer s.gate.unshare()
	return f(v)
}

// cached returns a page if it is in memory, else nil. The pages in memory are those of
// the present directory, of which a view without a part in the gate may be too old.
func (v *view) cached(i int) *block {
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	if v.store.mu.directory != v.directory {
		return nil
	}
	return v.store.mu.cache.get(v.directory.lows[i])
}

// load reads pages that are not in memory.
func (v *view) load(pages []int) ([]*block, error) {
	if !v.mayRead {
		return nil, errMiss
	}
	lows := make([][]byte, len(pages))
	for i, page := range pages {
		lows[i] = v.directory.lows[page]
	}
	return v.store.readPages(v.ctx, lows)
}

// lookup calls found with the number and value of each key, nil where it is absent. It
// is fastest when the keys ascend. Values are not to be kept.
func (v *view) lookup(n int, key func(i int) []byte, found func(i int, value []byte)) error {
	type want struct{ page, key int }
	var missing []want
	near := make([]int, len(v.overlay))
	page, at := -1, 0
	var b *block
	for i := range n {
		k := key(i)
		if value, ok := v.overlay.find(k, near); ok {
			found(i, value)
			continue
		}
		if v.directory.len() == 0 {
			found(i, nil)
			continue
		}
		if page < 0 || !v.directory.has(page, k) {
			page, at = v.directory.locate(k), 0
			b = v.cached(page)
		}
		if b == nil {
			missing = append(missing, want{page, i})
			continue
		}
		var value []byte
		value, _, at = b.find(k, at)
		found(i, value)
	}
	sort.SliceStable(missing, func(i, j int) bool { return missing[i].page < missing[j].page })
	for len(missing) > 0 {
		var pages []int
		count := 0
		for ; count < len(missing); count++ {
			if p := missing[count].page; len(pages) == 0 || pages[len(pages)-1] != p {
				if len(pages) == maxPagesAtOnce {
					break
				}
				pages = append(pages, p)
			}
		}
		blocks, err := v.load(pages)
		if err != nil {
			return err
		}
		for _, w := range missing[:count] {
			at, _ := slices.BinarySearch(pages, w.page)
			value, _, _ := blocks[at].find(key(w.key), 0)
			found(w.key, value)
		}
		missing = missing[count:]
	}
	return nil
}

// each calls visit for the pairs of a range until it returns false. Key and value are
// not to be kept. expect is about how many pairs will be wanted, zero for all.
func (v *view) each(r kv.Range, expect int, visit func(key, value []byte) bool) error {
	if r.End != nil && bytes.Compare(r.Start, r.End) >= 0 {
		return nil
	}
	pages := &pageRow{view: v, r: r, ahead: maxReadAhead / 4}
	if expect > 0 {
		pages.ahead = min(maxReadAhead, 1+expect/64)
	}
	pages.at, pages.stop = v.directory.span(r.Start, r.End)
	pages.stop++
	pages.step = 1
	if r.Reverse {
		pages.at, pages.stop, pages.step = pages.stop-1, pages.at-1, -1
	}
	it := newIterator(v.overlay, pages, r.Start, r.End, r.Reverse)
	for {
		key, value, err := it.next()
		if err != nil || key == nil {
			return err
		}
		if value != nil && !visit(key, value) {
			return nil
		}
	}
}

// pageRow is the pages of a range in one direction. It reads ahead, further and further.
type pageRow struct {
	view  *view
	r     kv.Range
	at    int
	stop  int
	step  int
	ahead int

	loaded []*block // the pages from at on, as far as they were read ahead
}

func (p *pageRow) next() (cursor, bool, error) {
	if (p.stop-p.at)*p.step <= 0 {
		return cursor{}, false, nil
	}
	var b *block
	if len(p.loaded) > 0 {
		b, p.loaded = p.loaded[0], p.loaded[1:]
	} else if b = p.view.cached(p.at); b == nil {
		var pages []int
		for i := p.at; (p.stop-i)*p.step > 0 && len(pages) < p.ahead; i += p.step {
			if i != p.at && p.view.cached(i) != nil {
				break
			}
			pages = append(pages, i)
		}
		blocks, err := p.view.load(pages)
		if err != nil {
			return cursor{}, false, err
		}
		b, p.loaded = blocks[0], blocks[1:]
		p.ahead = min(2*p.ahead, maxReadAhead)
	}
	p.at += p.step
	return newCursor(b, p.r.Start, p.r.End, p.r.Reverse), true, nil
}
