package resultset

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/proto"
)

// entry is a row with its place. Entries are immutable.
type entry struct {
	key []byte
	row *proto.Record
}

// Sizes of chunks. Two neighbours that together would fit in one are joined only when one
// of them has become small, so that no change at a boundary splits and joins in turn.
const (
	maxChunk   = 512
	smallChunk = maxChunk / 4
)

// sequence is entries in the order of their keys.
type sequence struct {
	chunks []*chunk
	size   int
	epoch  uint64 // counts snapshots: a chunk of an earlier one is shared
}

// chunk is a part of a sequence; it is never empty. Once it is shared it does not change.
type chunk struct {
	entries []*entry
	epoch   uint64
}

func (c *chunk) last() *entry { return c.entries[len(c.entries)-1] }

// locate returns the chunk that key belongs to and its place in there.
func locate(chunks []*chunk, key []byte) (at, i int) {
	at = sort.Search(len(chunks), func(n int) bool { return bytes.Compare(chunks[n].last().key, key) >= 0 })
	if at == len(chunks) {
		return at, 0
	}
	list := chunks[at].entries
	return at, sort.Search(len(list), func(n int) bool { return bytes.Compare(list[n].key, key) >= 0 })
}

// rank returns how many entries come before key.
func (s *sequence) rank(key []byte) int {
	at, i := locate(s.chunks, key)
	for _, c := range s.chunks[:at] {
		i += len(c.entries)
	}
	return i
}

func (s *sequence) first() *entry { return s.chunks[0].entries[0] }
func (s *sequence) last() *entry  { return s.chunks[len(s.chunks)-1].last() }

// own returns the chunk, copied if it is shared.
func (s *sequence) own(at int) *chunk {
	c := s.chunks[at]
	if c.epoch < s.epoch {
		entries := make([]*entry, len(c.entries), min(maxChunk, len(c.entries)+smallChunk))
		copy(entries, c.entries)
		c = &chunk{entries, s.epoch}
		s.chunks[at] = c
	}
	return c
}

func (s *sequence) insert(e *entry) {
	s.size++
	at, i := locate(s.chunks, e.key)
	if at == len(s.chunks) { // behind the last
		if at == 0 || len(s.chunks[at-1].entries) >= maxChunk {
			s.chunks = append(s.chunks, &chunk{[]*entry{e}, s.epoch})
			return
		}
		at--
		i = len(s.chunks[at].entries)
	}
	c := s.own(at)
	if len(c.entries) >= maxChunk {
		half := &chunk{slices.Clone(c.entries[maxChunk/2:]), s.epoch}
		clear(c.entries[maxChunk/2:])
		c.entries = c.entries[:maxChunk/2]
		s.chunks = slices.Insert(s.chunks, at+1, half)
		if i > maxChunk/2 {
			c, i = half, i-maxChunk/2
		}
	}
	c.entries = slices.Insert(c.entries, i, e)
}

// remove takes away the entry of a key that is there.
func (s *sequence) remove(key []byte) {
	s.size--
	at, i := locate(s.chunks, key)
	c := s.own(at)
	c.entries = slices.Delete(c.entries, i, i+1)
	switch {
	case len(c.entries) == 0:
		s.chunks = slices.Delete(s.chunks, at, at+1)
	case len(c.entries) < smallChunk:
		s.join(at)
	}
}

// join appends a chunk to its neighbour where both are small together.
func (s *sequence) join(at int) {
	if at == 0 {
		at++
	}
	if at >= len(s.chunks) || len(s.chunks[at-1].entries)+len(s.chunks[at].entries) > maxChunk/2 {
		return
	}
	c := s.own(at - 1)
	c.entries = append(c.entries, s.chunks[at].entries...)
	s.chunks = slices.Delete(s.chunks, at, at+1)
}

// reset makes the sequence that of sorted entries.
func (s *sequence) reset(entries []*entry) {
	s.chunks, s.size = make([]*chunk, 0, len(entries)/(maxChunk/2)+1), len(entries)
	for part := range slices.Chunk(entries, maxChunk/2) {
		s.chunks = append(s.chunks, &chunk{slices.Clone(part), s.epoch})
	}
}

// snapshot returns the entries as they are now.
func (s *sequence) snapshot() *snapshot {
	s.epoch++
	shot := &snapshot{chunks: slices.Clone(s.chunks), starts: make([]int, len(s.chunks))}
	for i, c := range s.chunks {
		shot.starts[i] = shot.size
		shot.size += len(c.entries)
	}
	return shot
}

// snapshot is a sequence that does not change.
type snapshot struct {
	chunks []*chunk
	starts []int // how many entries come before each chunk
	size   int
}

func (s *snapshot) rank(key []byte) int {
	at, i := locate(s.chunks, key)
	if at == len(s.chunks) {
		return s.size
	}
	return s.starts[at] + i
}

func (s *snapshot) at(n int) *entry {
	c := sort.SearchInts(s.starts, n+1) - 1
	return s.chunks[c].entries[n-s.starts[c]]
}

// from yields the entries from one position to another.
func (s *snapshot) from(low, high int, yield func(*entry) bool) {
	if low >= high {
		return
	}
	c := sort.SearchInts(s.starts, low+1) - 1
	for i := low - s.starts[c]; low < high; low++ {
		if i == len(s.chunks[c].entries) {
			c, i = c+1, 0
		}
		if !yield(s.chunks[c].entries[i]) {
			return
		}
		i++
	}
}
