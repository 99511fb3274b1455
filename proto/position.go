package proto

import (
	"bytes"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Position is how far something is in step with a store: a place in the feed of each
// process that writes to it, in ascending order of epochs. Peers keep positions and hand
// them back; they do not look inside. A position without places is none. Positions are
// immutable.
type Position []Place

// Place is a place in one feed.
type Place struct {
	// Epoch is one opening of the feed by a process. A store that was restored from an
	// older copy goes on under other epochs than the ones that were after it, so that a
	// position beyond the copy is told from one in what it became.
	Epoch id.EpochID
	// Seq is that of the last entry that counts in, perhaps of an earlier epoch.
	Seq uint64
}

// MaxPlaces bounds the places of a position: the processes that have written to one store
// at the same time.
const MaxPlaces = 1024

// Equal reports whether two positions have the same places.
func (p Position) Equal(q Position) bool {
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// AppendPosition appends p as [epoch, seq, …].
func AppendPosition(dst []byte, p Position) []byte {
	dst = msgpack.AppendArrayLen(dst, 2*len(p))
	for _, place := range p {
		dst = msgpack.AppendUint(AppendID(dst, place.Epoch.ULID), place.Seq)
	}
	return dst
}

// ReadPosition reads what AppendPosition wrote.
func ReadPosition(r *msgpack.Reader) Position {
	n := readRun(r, 2, MaxPlaces)
	if n == 0 || r.Err() != nil {
		return nil
	}
	p := make(Position, 0, n)
	for ; n > 0 && r.Err() == nil; n-- {
		place := Place{Epoch: id.EpochID{ULID: ReadID(r)}, Seq: r.Uint()}
		if k := len(p); k > 0 && bytes.Compare(p[k-1].Epoch.Bytes(), place.Epoch.Bytes()) >= 0 {
			r.Fail(ErrStructure)
		}
		p = append(p, place)
	}
	return p
}
