package paged

import (
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
)

// fetch is a page that somebody is reading from the disk. Calls that begin over an empty
// cache, such as the first queries of an app, want the same pages; each is read once.
type fetch struct {
	low   []byte
	done  chan struct{} // closed when the page was read, or could not be
	block *block        // nil if it could not
}

// readPages returns pages from memory, from others who are reading them, or from the disk;
// the caller has a part in the gate, so no page changes meanwhile.
func (s *Store) readPages(ctx context.Context, lows [][]byte) ([]*block, error) {
	blocks := make([]*block, len(lows))
	for {
		fetches, mine := s.reserve(lows, blocks)
		if len(fetches) == 0 {
			return blocks, nil
		}
		// Only who has read what it reserved waits for others, so no two wait for each other.
		if len(mine) > 0 {
			if err := s.fetch(ctx, mine); err != nil {
				return nil, err
			}
		}
		for i, f := range fetches {
			select {
			case <-f.done:
				blocks[i] = f.block // nil if they were stopped; then it is reserved again
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
}

// reserve fills in the blocks that are in memory. The others are being fetched, by their
// places in lows; those that nobody was fetching yet are the caller's to fetch.
func (s *Store) reserve(lows [][]byte, blocks []*block) (fetches map[int]*fetch, mine []*fetch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, low := range lows {
		if blocks[i] == nil {
			blocks[i] = s.mu.cache.get(low)
		}
		if blocks[i] != nil {
			continue
		}
		f := s.mu.fetches[string(low)]
		if f == nil {
			f = &fetch{low: low, done: make(chan struct{})}
			s.mu.fetches[string(low)] = f
			mine = append(mine, f)
		}
		if fetches == nil {
			fetches = make(map[int]*fetch, len(lows)-i)
		}
		fetches[i] = f
	}
	return fetches, mine
}

// fetch reads what the caller reserved, in one transaction, and keeps it.
func (s *Store) fetch(ctx context.Context, pages []*fetch) error {
	err := s.readBlocks(ctx, pages)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range pages {
		if err == nil {
			s.mu.cache.put(f.low, f.block)
		} else {
			f.block = nil
		}
		delete(s.mu.fetches, string(f.low))
		close(f.done)
	}
	return err
}

func (s *Store) readBlocks(ctx context.Context, pages []*fetch) error {
	var t Transaction
	for _, f := range pages {
		t.Gets = append(t.Gets, pageKey(f.low))
	}
	results, err := s.transact(ctx, &t)
	if err != nil {
		return err
	}
	for i, data := range results.Values {
		if data == nil {
			return fmt.Errorf("%w: page %x is missing", storage.ErrCorrupt, pages[i].low)
		}
		if pages[i].block, err = parsePage(data); err != nil {
			return err
		}
	}
	return nil
}
