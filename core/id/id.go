package id

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/ankurah-go/ankurah/internal/entropy"
)

// Size is the length of every id in bytes, TextSize that of its text form.
const (
	Size     = 16
	TextSize = ulid.EncodedSize
)

// ErrFormat is what Parse and FromBytes return for input that is not an id.
var ErrFormat = errors.New("id: not a ULID")

// Stamp is a moment of hybrid logical time: milliseconds since 1970 in the upper 48
// bits, a logical counter in the lower 16. Stamps compare as numbers.
type Stamp uint64

// MaxStamp is the last stamp, in the year 10889.
const MaxStamp Stamp = math.MaxUint64

// StampAt returns the first stamp of the millisecond that holds t, or of the nearest one
// that a stamp can hold.
func StampAt(t time.Time) Stamp {
	return Stamp(min(max(t.UnixMilli(), 0), 1<<48-1)) << 16
}

// next returns the stamp that follows s.
func (s Stamp) next() Stamp {
	if s == MaxStamp {
		return s
	}
	return s + 1
}

// Time returns the stamp's wall-clock part.
func (s Stamp) Time() time.Time { return time.UnixMilli(int64(s >> 16)) }

// ULID is the 16 bytes that all ids share. The typed ids below embed it, so that
// one cannot be passed for another by accident; where the design says that one id
// is another's (an entity's is that of its creation event), a Go conversion turns
// one into the other.
type ULID struct{ b [Size]byte }

// The typed ids.
type (
	// EventID names an event and is checked against its content.
	EventID struct{ ULID }
	// EntityID names an entity: it is the id of the event that created it.
	EntityID struct{ ULID }
	// TransactionID correlates the events that are accepted together.
	TransactionID struct{ ULID }
	// NodeID names a participant.
	NodeID struct{ ULID }
	// StoreID names one set of stored data. Copies of its bytes have the same.
	StoreID struct{ ULID }
	// EpochID names one opening of a feed by the process that writes to it.
	EpochID struct{ ULID }
	// MemberID names a member of rooms; it is made of a secret and says nothing of time.
	MemberID struct{ ULID }
)

// Make puts an id together from its stamp and its last eight bytes.
func Make(s Stamp, tail [8]byte) (u ULID) {
	binary.BigEndian.PutUint64(u.b[:8], uint64(s))
	copy(u.b[8:], tail[:])
	return u
}

// New returns a ULID for now with a tail read from random, or from the system
// when random is nil. It panics if random fails, since no caller could go on.
func New(random io.Reader) ULID {
	if random == nil {
		random = entropy.Reader
	}
	return ULID{ulid.MustNew(ulid.Timestamp(time.Now()), random)}
}

// Parse reads the 26-character text form; letters may be of either case.
func Parse(text string) (ULID, error) {
	u, err := ulid.ParseStrict(text)
	if err != nil {
		return ULID{}, fmt.Errorf("%w: %q", ErrFormat, clip(text))
	}
	return ULID{u}, nil
}

// clip keeps hostile text out of error messages.
func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}

// FromBytes reads the 16-byte form; b is not retained.
func FromBytes(b []byte) (u ULID, err error) {
	if len(b) != Size {
		return u, fmt.Errorf("%w: %d bytes", ErrFormat, len(b))
	}
	copy(u.b[:], b)
	return u, nil
}

// ParseEntity reads the text form of an entity id.
func ParseEntity(text string) (EntityID, error) {
	u, err := Parse(text)
	return EntityID{u}, err
}

// Bytes returns the 16 bytes as a fresh slice.
func (u ULID) Bytes() []byte { return append([]byte(nil), u.b[:]...) }

// AppendTo appends the 16 bytes to dst.
func (u ULID) AppendTo(dst []byte) []byte { return append(dst, u.b[:]...) }

// Array returns the 16 bytes.
func (u ULID) Array() [Size]byte { return u.b }

// String returns the 26-character text form.
func (u ULID) String() string { return ulid.ULID(u.b).String() }

// IsZero reports whether u is the zero id, which names nothing.
func (u ULID) IsZero() bool { return u == ULID{} }

// Stamp returns the id's time.
func (u ULID) Stamp() Stamp { return Stamp(binary.BigEndian.Uint64(u.b[:8])) }

// Compare orders ids by their bytes, hence by time first.
func (u ULID) Compare(v ULID) int {
	a, b := u.Stamp(), v.Stamp()
	if a == b {
		a, b = Stamp(binary.BigEndian.Uint64(u.b[8:])), Stamp(binary.BigEndian.Uint64(v.b[8:]))
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// MarshalText implements encoding.TextMarshaler.
func (u ULID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *ULID) UnmarshalText(text []byte) (err error) {
	*u, err = Parse(string(text))
	return err
}
