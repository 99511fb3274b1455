package frame

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Attend enters a room under a number that the page chose, or, with the number of one that it
// is in, changes its state there; Members follows. Without a key it looks at the room. Gone and
// Away end it.
type Attend struct {
	Number     uint64
	Room       string
	Key        proto.MemberKey // nil on the wire for none
	Attendance proto.Attendance
	State      []byte // as proto.AppendFields writes it
}

// Members is a part of what happened in a room; with Reset who was there before is forgotten.
type Members struct {
	Number  uint64
	Status  RoomStatus
	Err     *Error
	Self    id.MemberID // the page's own; zero where it only looks
	Reset   bool
	Changed []Member
	Left    []id.MemberID
}

// Member is somebody else in a room.
type Member struct {
	ID    id.MemberID
	User  string
	Since int64 // microseconds since 1970
	State []byte
}

// RoomStatus is how a page stands in a room.
type RoomStatus uint8

// The statuses of a room.
const (
	RoomWaiting RoomStatus = iota
	RoomLive
	RoomRefused
)

func (*Attend) kind() uint64  { return kindAttend }
func (*Members) kind() uint64 { return kindMembers }
func (*Attend) fields() int   { return 5 }
func (*Members) fields() int  { return 7 }

func (m *Attend) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Number)
	dst = msgpack.AppendString(dst, m.Room)
	if m.Key == (proto.MemberKey{}) {
		dst = msgpack.AppendNil(dst)
	} else {
		dst = msgpack.AppendBytes(dst, m.Key[:])
	}
	dst = msgpack.AppendUint(dst, uint64(m.Attendance))
	return msgpack.AppendBytes(dst, m.State)
}

func (m *Attend) read(r *msgpack.Reader) {
	m.Number = r.Uint()
	m.Room = readString(r, proto.MaxRoomBytes)
	if !r.TryNil() {
		if b := r.Bytes(); len(b) == len(m.Key) {
			copy(m.Key[:], b)
		} else {
			r.Fail(msgpack.ErrType)
		}
	}
	m.Attendance = proto.Attendance(readEnum(r, uint64(proto.Gone)))
	m.State = readPresence(r)
}

func (m *Members) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Number)
	dst = msgpack.AppendUint(dst, uint64(m.Status))
	dst = appendError(dst, m.Err)
	dst = appendChosen(dst, m.Self.ULID)
	dst = msgpack.AppendBool(dst, m.Reset)
	dst = msgpack.AppendArrayLen(dst, len(m.Changed))
	for i := range m.Changed {
		x := &m.Changed[i]
		dst = appendULID(msgpack.AppendArrayLen(dst, 4), x.ID.ULID)
		dst = appendOptional(dst, x.User)
		dst = msgpack.AppendInt(dst, x.Since)
		dst = msgpack.AppendBytes(dst, x.State)
	}
	dst = msgpack.AppendArrayLen(dst, len(m.Left))
	for _, x := range m.Left {
		dst = appendULID(dst, x.ULID)
	}
	return dst
}

func (m *Members) parse(r *msgpack.Reader) {
	m.Number = r.Uint()
	m.Status = RoomStatus(readEnum(r, uint64(RoomRefused)))
	m.Err = readError(r)
	m.Self = id.MemberID{ULID: readChosen(r)}
	m.Reset = r.Bool()
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		r.Array(4)
		m.Changed = append(m.Changed, Member{ID: id.MemberID{ULID: readULID(r)}, User: readOptional(r), Since: r.Int(), State: readPresence(r)})
	}
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.Left = append(m.Left, id.MemberID{ULID: readULID(r)})
	}
}

func readPresence(r *msgpack.Reader) []byte {
	b := r.Bytes()
	if len(b) > proto.MaxPresenceBytes {
		r.Fail(msgpack.ErrTooLong)
	}
	if len(b) == 0 || r.Err() != nil {
		return nil
	}
	return append([]byte(nil), b...)
}
