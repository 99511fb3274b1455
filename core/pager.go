package core

import (
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Sizes of the pages in which rows are read: the first one shows how large rows are, and the
// following hold about so many bytes, so that a few readers of large rows do not fill the
// memory.
const (
	firstPage = 64
	leastPage = 16
	pageBytes = 4 << 20
	sampled   = 32 // rows of a page that are measured
)

// pager says how many rows, or events, to read at once.
type pager struct{ rows int }

// next returns the limit of the next page, for somebody who wants so many rows, or a negative
// number for all.
func (p *pager) next(wanted int) int {
	size := p.rows
	if size == 0 {
		size = firstPage
	}
	if wanted >= 0 {
		size = min(size, wanted)
	}
	return size
}

// read learns from a page.
func (p *pager) read(rows []*proto.Record) {
	if len(rows) == 0 {
		return
	}
	bytes, count, step := 0, 0, max(1, len(rows)/sampled)
	for i := 0; i < len(rows); i += step {
		bytes += rows[i].State.Size()
		count++
	}
	p.learn(count, bytes)
}

// learn takes in what so many things took.
func (p *pager) learn(count, bytes int) {
	p.rows = max(leastPage, min(storage.MaxPage, pageBytes/max(1, bytes/count)))
}
