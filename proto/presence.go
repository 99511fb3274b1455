package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/internal/sha256"
)

// Limits of presence on the wire.
const (
	MaxRoomBytes     = 256      // the name of a room
	MaxPresenceBytes = 64 << 10 // the encoded state of one member
	MaxStateFields   = 256      // fields of a state
	MaxHomes         = 4096     // durable nodes of one Spread
)

// MemberKey is the secret of one member of rooms: whoever has it is that member, on one
// connection after the other, whichever durable node serves it. The zero key is none.
type MemberKey [16]byte

// Member returns the id by which others know the member. It does not give the key away.
func (k MemberKey) Member() (m id.MemberID) {
	sum := sha256.Sum256(k[:])
	m.ULID, _ = id.FromBytes(sum[:id.Size])
	return m
}

// Attendance is whether a member is in a room.
type Attendance uint8

// The attendances. The list is append-only.
const (
	Here Attendance = iota
	// Away is a member that may be back in a moment, as when its page is loaded anew: it stays
	// for the grace that a lost connection has.
	Away
	Gone
)

// Attend enters a room, changes the state that others see there, and leaves it; the latest
// frame with one number is what holds. Without a key it asks who is in the room, and Gone ends
// that. Members with the same number answers where there is something to say.
//
// All of it is forgotten when the connection ends: members are Away then.
type Attend struct {
	Number     uint64 // chosen by the sender: one for each member and room, and for each room that is watched
	Room       string
	Key        MemberKey
	Seq        uint64 // grows with every frame about the same member and room, on any connection
	Attendance Attendance
	State      []byte // as AppendFields writes it; empty for none
}

func (*Attend) frameType() uint64 { return typeAttend }

func (m *Attend) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 6), m.Number)
	dst = msgpack.AppendString(dst, m.Room)
	dst = msgpack.AppendBytes(dst, m.Key[:])
	dst = msgpack.AppendUint(dst, m.Seq)
	dst = msgpack.AppendUint(dst, uint64(m.Attendance))
	return msgpack.AppendBytes(dst, m.State)
}

func (m *Attend) readBody(r *msgpack.Reader) {
	r.Array(6)
	m.Number = r.Uint()
	m.Room = readShort(r, MaxRoomBytes)
	if b := r.Bytes(); len(b) == len(m.Key) {
		copy(m.Key[:], b)
	} else {
		r.Fail(ErrStructure)
	}
	m.Seq = r.Uint()
	m.Attendance = readAttendance(r)
	m.State = readPresence(r)
}

// Members tells who is in a room, from a durable node to one that has sent Attend: of a room
// that is watched all members, and later those that came, changed or went. Of a room or member
// that was refused it tells why, and no more follows.
type Members struct {
	Number  uint64
	Reset   bool   // who was there before is void
	Kind    uint64 // core.Kind of the refusal; 0 for none
	Message string // it, in words
	List    []Present
}

// Present is a member of a room.
type Present struct {
	Member id.MemberID
	Gone   bool
	User   string // the principal, as the durable node that serves it says
	Since  int64  // when it came, microseconds since 1970
	State  []byte
}

func (*Members) frameType() uint64 { return typeMembers }

func (m *Members) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 5), m.Number)
	dst = msgpack.AppendBool(dst, m.Reset)
	dst = msgpack.AppendUint(dst, m.Kind)
	dst = appendMessage(dst, m.Message)
	dst = msgpack.AppendArrayLen(dst, presentItems*len(m.List))
	for i := range m.List {
		dst = m.List[i].append(dst)
	}
	return dst
}

func (m *Members) readBody(r *msgpack.Reader) {
	r.Array(5)
	m.Number = r.Uint()
	m.Reset = r.Bool()
	m.Kind = r.Uint()
	m.Message = readText(r)
	for n := readRun(r, presentItems, MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.List = append(m.List, readPresent(r))
	}
}

// presentItems is how many items a Present is in an array.
const presentItems = 5

func (p *Present) append(dst []byte) []byte {
	dst = AppendID(dst, p.Member.ULID)
	dst = msgpack.AppendBool(dst, p.Gone)
	dst = msgpack.AppendString(dst, p.User)
	dst = msgpack.AppendInt(dst, p.Since)
	return msgpack.AppendBytes(dst, p.State)
}

func readPresent(r *msgpack.Reader) Present {
	return Present{
		Member: id.MemberID{ULID: ReadID(r)}, Gone: r.Bool(), User: readShort(r, MaxUserBytes), Since: r.Int(), State: readPresence(r),
	}
}

// Spread passes on who is in which room, between durable nodes. A member's Seq says which of
// two tellings is the later one; a home's beat, that it is alive, and that everything which it
// said before has been told.
type Spread struct {
	From  id.EpochID   // the home of the sender
	Again bool         // tell the sender everything, it may have missed something
	Ask   []id.EpochID // tell it everything of these homes
	Begin []id.EpochID // all members of these homes follow, and then the homes with All
	Homes []Home
	List  []Attending
}

// Home is a durable node that serves members, from one opening to its end.
type Home struct {
	ID     id.EpochID
	Beat   uint64 // grows while it is alive
	Age    uint64 // how long ago the sender knows that it was, in milliseconds
	All    bool   // all its members have been told since Begin, and not only those that have changed
	Closed bool   // it has ended in good order, with this beat: its members are Away
}

// Attending is a member of a room, as its home says.
type Attending struct {
	Room string
	Home id.EpochID
	Seq  uint64
	Present
}

// attendingItems is how many items an Attending is in an array.
const attendingItems = 3 + presentItems

func (*Spread) frameType() uint64 { return typeSpread }

func (m *Spread) appendBody(dst []byte) []byte {
	dst = AppendID(msgpack.AppendArrayLen(dst, 6), m.From.ULID)
	dst = msgpack.AppendBool(dst, m.Again)
	dst = appendHomes(appendHomes(dst, m.Ask), m.Begin)
	dst = msgpack.AppendArrayLen(dst, 5*len(m.Homes))
	for _, h := range m.Homes {
		dst = AppendID(dst, h.ID.ULID)
		dst = msgpack.AppendUint(dst, h.Beat)
		dst = msgpack.AppendUint(dst, h.Age)
		dst = msgpack.AppendBool(dst, h.All)
		dst = msgpack.AppendBool(dst, h.Closed)
	}
	dst = msgpack.AppendArrayLen(dst, attendingItems*len(m.List))
	for i := range m.List {
		a := &m.List[i]
		dst = msgpack.AppendString(dst, a.Room)
		dst = AppendID(dst, a.Home.ULID)
		dst = msgpack.AppendUint(dst, a.Seq)
		dst = a.Present.append(dst)
	}
	return dst
}

func appendHomes(dst []byte, homes []id.EpochID) []byte {
	dst = msgpack.AppendArrayLen(dst, len(homes))
	for _, h := range homes {
		dst = AppendID(dst, h.ULID)
	}
	return dst
}

func readHomes(r *msgpack.Reader) (homes []id.EpochID) {
	for n := r.ArrayLen(MaxHomes); n > 0 && r.Err() == nil; n-- {
		homes = append(homes, id.EpochID{ULID: ReadID(r)})
	}
	return homes
}

func (m *Spread) readBody(r *msgpack.Reader) {
	r.Array(6)
	m.From = id.EpochID{ULID: ReadID(r)}
	m.Again = r.Bool()
	m.Ask = readHomes(r)
	m.Begin = readHomes(r)
	for n := readRun(r, 5, MaxHomes); n > 0 && r.Err() == nil; n-- {
		m.Homes = append(m.Homes, Home{ID: id.EpochID{ULID: ReadID(r)}, Beat: r.Uint(), Age: r.Uint(), All: r.Bool(), Closed: r.Bool()})
	}
	for n := readRun(r, attendingItems, MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.List = append(m.List, Attending{
			Room: readShort(r, MaxRoomBytes), Home: id.EpochID{ULID: ReadID(r)}, Seq: r.Uint(), Present: readPresent(r),
		})
	}
}

func readAttendance(r *msgpack.Reader) Attendance {
	n := r.Uint()
	if n > uint64(Gone) {
		r.Fail(ErrStructure)
		return Gone
	}
	return Attendance(n)
}

// readPresence reads an encoded state, which is passed on as it is; what others decode is
// checked here.
func readPresence(r *msgpack.Reader) []byte {
	b := r.Bytes()
	if len(b) == 0 || r.Err() != nil {
		return nil
	}
	if len(b) > MaxPresenceBytes {
		r.Fail(msgpack.ErrTooLong)
		return nil
	}
	state := append([]byte(nil), b...)
	if _, err := DecodeFields(state); err != nil {
		r.Fail(err)
		return nil
	}
	return state
}

// AppendFields appends the state of a member as [name, value, …].
func AppendFields(dst []byte, fields []Field) []byte {
	dst = msgpack.AppendArrayLen(dst, 2*len(fields))
	for i := range fields {
		dst = msgpack.AppendString(dst, fields[i].Name)
		dst = value.Append(dst, fields[i].Value)
	}
	return dst
}

// DecodeFields reads what AppendFields wrote; of nothing, no fields.
func DecodeFields(b []byte) (fields []Field, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := msgpack.NewReader(b)
	n := readRun(&r, 2, MaxStateFields)
	if n > 0 && r.Err() == nil {
		fields = make([]Field, 0, n)
	}
	for ; n > 0 && r.Err() == nil; n-- {
		fields = append(fields, Field{Name: readName(&r), Value: value.Read(&r)})
	}
	return fields, r.Done()
}
