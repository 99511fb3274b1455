package relational

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Pager makes a page of the records that a scan reads. It keeps no more of them than the page
// can have, twice, by number and by what they take.
type Pager struct {
	scan      *Scan
	selection *ankql.Selection
	after     []byte
	limit     int

	found []found
	bytes int      // of found
	bound []byte   // set once records were left out for what they take: none behind it is in the page
	read  []int    // rows of each ordered part
	last  [][]byte // the greatest key of each
}

type found struct {
	key    []byte
	record *proto.Record
}

func (f *found) size() int { return len(f.key) + f.record.State.Size() }

// NewPager makes a pager for a scan made with the same arguments.
func NewPager(scan *Scan, sel *ankql.Selection, after []byte, limit int) *Pager {
	return &Pager{scan: scan, selection: sel, after: after, limit: limit}
}

// Add takes a record, and the part of the answer that it came in.
func (p *Pager) Add(part Part, rec *proto.Record) {
	key := p.selection.AppendSortKey(nil, rec, rec.Entity)
	if part >= Ordered {
		p.count(int(part-Ordered), key)
	}
	if rec.State.Deleted() || bytes.Compare(key, p.after) <= 0 && p.after != nil || !p.selection.Matches(rec) {
		return
	}
	if p.bound != nil && bytes.Compare(key, p.bound) > 0 {
		return
	}
	f := found{key, rec}
	p.found, p.bytes = append(p.found, f), p.bytes+f.size()
	if len(p.found) >= 2*(p.limit+1) || p.bytes > 2*storage.MaxPageBytes {
		p.prune()
	}
}

func (p *Pager) count(part int, key []byte) {
	for len(p.read) <= part {
		p.read, p.last = append(p.read, 0), append(p.last, nil)
	}
	p.read[part]++
	if bytes.Compare(key, p.last[part]) > 0 {
		p.last[part] = key
	}
}

// prune keeps one record more than the page has room for: it says that there are more. Where
// the records take too much, the bound says so.
func (p *Pager) prune() {
	sort.Slice(p.found, func(i, j int) bool { return bytes.Compare(p.found[i].key, p.found[j].key) < 0 })
	kept := 0
	for p.bytes = 0; kept < min(len(p.found), p.limit+1); kept++ {
		size := p.found[kept].size()
		if kept > 0 && p.bytes+size > storage.MaxPageBytes {
			p.bound = p.found[kept-1].key
			break
		}
		p.bytes += size
	}
	clear(p.found[kept:])
	p.found = p.found[:kept]
}

// horizon returns the key up to which everything was read; nil if that is all there is.
func (p *Pager) horizon() []byte {
	for part, n := range p.read {
		if p.scan.limit > 0 && n >= p.scan.limit {
			return p.last[part] // the parts that follow lie behind it
		}
	}
	return nil
}

// Page returns the page.
func (p *Pager) Page() *storage.Page {
	p.prune()
	horizon := p.horizon()
	if p.bound != nil && (horizon == nil || bytes.Compare(p.bound, horizon) < 0) {
		horizon = p.bound
	}
	page := &storage.Page{More: horizon != nil}
	for _, f := range p.found {
		if horizon != nil && bytes.Compare(f.key, horizon) > 0 {
			break
		}
		if len(page.Records) == p.limit {
			page.More = true
			break
		}
		page.Records, page.Next = append(page.Records, f.record), f.key
	}
	switch {
	case !page.More:
		page.Next = nil
	case len(page.Records) < p.limit:
		page.Next = horizon
	}
	return page
}

// Corrupt says of something stored that it cannot be read.
func Corrupt(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", storage.ErrCorrupt, what, err)
}
