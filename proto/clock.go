package proto

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/internal/sha256"
)

// Clock is a set of event ids none of which descends from another, in ascending
// order. An entity's head is a clock; nil is the empty clock, which precedes its
// creation. Clocks are not changed in place: every method returns a new one.
type Clock []id.EventID

// NewClock returns the clock of the given ids, sorted and without duplicates.
func NewClock(ids ...id.EventID) Clock {
	if len(ids) == 0 {
		return nil
	}
	c := slices.Clone(ids)
	sort.Slice(c, func(i, j int) bool { return compareEventIDs(c[i], c[j]) < 0 })
	return slices.Compact(c)
}

func compareEventIDs(a, b id.EventID) int { return a.Compare(b.ULID) }

// Equal reports whether c and d hold the same ids.
func (c Clock) Equal(d Clock) bool { return slices.Equal(c, d) }

// Contains reports whether c holds e.
func (c Clock) Contains(e id.EventID) bool {
	_, found := slices.BinarySearchFunc(c, e, compareEventIDs)
	return found
}

// ContainsAll reports whether c holds every id of d.
func (c Clock) ContainsAll(d Clock) bool {
	for _, e := range d {
		if !c.Contains(e) {
			return false
		}
	}
	return true
}

// Advance returns the head after an event on top of parents was applied to head c:
// the parents leave, the event enters.
func (c Clock) Advance(parents Clock, e id.EventID) Clock {
	next := make(Clock, 0, len(c)+1)
	for _, x := range c {
		if !parents.Contains(x) && x != e {
			next = append(next, x)
		}
	}
	i, _ := slices.BinarySearchFunc(next, e, compareEventIDs)
	return slices.Insert(next, i, e)
}

// ascends reports whether c is what NewClock returns.
func (c Clock) ascends() bool {
	for i := 1; i < len(c); i++ {
		if c[i-1].Compare(c[i].ULID) >= 0 {
			return false
		}
	}
	return true
}

// Stamp returns the greatest stamp in c, or 0 for the empty clock. The monotone rule
// demands that an event on top of c has a greater one.
func (c Clock) Stamp() id.Stamp {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1].Stamp()
}

// Fingerprint returns a number that clocks which differ do not share, short of an accident:
// 64 bits of the SHA-256 of their ids.
func (c Clock) Fingerprint() uint64 {
	b := make([]byte, 0, id.Size*len(c))
	for _, e := range c {
		a := e.Array()
		b = append(b, a[:]...)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:8])
}

// AppendClock appends c as an array of 16-byte ids.
func AppendClock(dst []byte, c Clock) []byte {
	dst = msgpack.AppendArrayLen(dst, len(c))
	for _, e := range c {
		dst = AppendID(dst, e.ULID)
	}
	return dst
}

// ReadClock reads what AppendClock wrote, and refuses ids out of order or doubled.
func ReadClock(r *msgpack.Reader) Clock {
	n := r.ArrayLen(MaxClock)
	if n == 0 {
		return nil
	}
	c := make(Clock, n)
	for i := range c {
		c[i] = id.EventID{ULID: ReadID(r)}
	}
	if r.Err() == nil && !c.ascends() {
		r.Fail(ErrNotCanonical)
	}
	if r.Err() != nil {
		return nil
	}
	return c
}

// AppendID appends an id, of whatever kind.
func AppendID(dst []byte, u id.ULID) []byte {
	b := u.Array()
	return msgpack.AppendBytes(dst, b[:])
}

// ReadID reads what AppendID wrote.
func ReadID(r *msgpack.Reader) id.ULID {
	b := r.Bytes()
	if r.Err() != nil {
		return id.ULID{}
	}
	u, err := id.FromBytes(b)
	if err != nil {
		r.Fail(err)
	}
	return u
}
