package resultset

import (
	"iter"

	"github.com/ankurah-go/ankurah/proto"
)

// Rows are the visible rows of a set at one moment. They never change; the zero Rows are
// none.
type Rows struct {
	shot      *snapshot
	low, high int // what of shot is visible
	State
}

// State says where visible rows stand around the anchor.
type State struct {
	Anchor              int  // how many of them come before the anchor
	HasBefore, HasAfter bool // there are others before the first, after the last
}

// Len returns how many rows there are.
func (r Rows) Len() int { return r.high - r.low }

// At returns the row of a position from 0 to Len()-1.
func (r Rows) At(i int) *proto.Record { return r.shot.at(r.low + i).row }

// All yields the rows in order.
func (r Rows) All() iter.Seq2[int, *proto.Record] {
	return func(yield func(int, *proto.Record) bool) {
		i := 0
		r.each(func(e *entry) bool {
			i++
			return yield(i-1, e.row)
		})
	}
}

func (r Rows) each(yield func(*entry) bool) {
	if r.shot != nil {
		r.shot.from(r.low, r.high, yield)
	}
}

// shows reports whether a position of the snapshot is visible.
func (r Rows) shows(position int) bool { return position >= r.low && position < r.high }
