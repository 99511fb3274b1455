package core

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
)

// Presence is being in a room, or looking at it: who else is there, each with a small state,
// which is shown while it is there and stored nowhere. Where there is no connection it waits
// for one; what others see of it and what it sees of them survive a connection that is lost for
// less than Limits.PresenceGrace. End it by Leave.
type Presence struct {
	room *room
	// Of a member; without a key the room is only watched.
	key       proto.MemberKey
	id        id.MemberID
	principal policy.Principal

	// Guarded by the room's lock.
	state   []byte
	entered bool  // the durable node has let it in
	err     error // why it has not
	left    bool
	next    int
	subs    map[int]*presenceSubscriber

	told told // to whom: of an ephemeral node
	seat seat // of a durable one
}

// PresenceStatus is how a presence stands.
type PresenceStatus uint8

// The statuses of a presence.
const (
	PresenceWaiting PresenceStatus = iota // there is no connection, or no answer yet
	PresenceLive                          // it is in the room, and sees who else is
	PresenceRefused                       // it is not let in
)

var presenceStatusNames = [...]string{"waiting", "live", "refused"}

// String returns the status's name.
func (s PresenceStatus) String() string { return presenceStatusNames[s] }

// Member is somebody in a room. It is not changed.
type Member struct {
	ID    id.MemberID
	User  string    // the principal, as the durable node says; "" when anonymous
	Since time.Time // when it came, by the clock of its durable node
	State []byte    // as proto.AppendFields writes it
}

// Fields returns the member's state.
func (m *Member) Fields() []proto.Field {
	fields, _ := proto.DecodeFields(m.State) // it was decoded when it came
	return fields
}

// RoomChange is what happened in a room, without the presence itself.
type RoomChange struct {
	Status  PresenceStatus
	Err     error     // why it was refused
	Reset   bool      // Changed is all who are there
	Changed []*Member // who has come, or has another state
	Left    []id.MemberID
}

type presenceSubscriber struct {
	mu   sync.Mutex
	call func(*RoomChange)
}

// errRoom: a name that no room has.
var errRoom = fmt.Errorf("%w: a room has a name of at most %d bytes", proto.ErrStructure, proto.MaxRoomBytes)

// errLeft is what Set returns after Leave.
var errLeft = fmt.Errorf("%w: the room was left", ErrClosed)

// Enter has the principal enter a room, with a state that the others there see. It returns at
// once: RoomChange.Status tells how it goes. On a durable node it fails where the policy, or a
// limit, forbids it.
func (c *Context) Enter(name string, state []proto.Field) (*Presence, error) {
	var key proto.MemberKey
	if _, err := io.ReadFull(random(c.node.opts.Random), key[:]); err != nil {
		return nil, err
	}
	return c.EnterAs(key, name, proto.AppendFields(nil, state))
}

// EnterAs is Enter for the member that has a key, with a state as proto.AppendFields writes it:
// who was in the room by that key a moment ago, on whatever connection, has never left.
func (c *Context) EnterAs(key proto.MemberKey, name string, state []byte) (_ *Presence, err error) {
	defer wrap(&err, "enter")
	if err := c.node.checkPresence(state); err != nil {
		return nil, err
	}
	return c.attend(&Presence{key: key, id: key.Member(), state: state}, name)
}

// Watch looks at a room without being in it.
func (c *Context) Watch(name string) (_ *Presence, err error) {
	defer wrap(&err, "watch")
	return c.attend(&Presence{}, name)
}

func (c *Context) attend(p *Presence, name string) (*Presence, error) {
	if name == "" || len(name) > proto.MaxRoomBytes || !utf8.ValidString(name) {
		return nil, errRoom
	}
	if c.node.run.ctx.Err() != nil {
		return nil, ErrClosed
	}
	p.principal, p.subs = c.principal, map[int]*presenceSubscriber{}
	return p, c.node.presence.join(p, name)
}

func (n *Node) checkPresence(state []byte) error {
	if len(state) > n.limits.PresenceState {
		return fmt.Errorf("%w: a state of %d bytes, more than %d", ErrTooLarge, len(state), n.limits.PresenceState)
	}
	if _, err := proto.DecodeFields(state); err != nil {
		return errors.Join(proto.ErrStructure, err)
	}
	return nil
}

// ID returns by which others know this member; zero where the room is only watched.
func (p *Presence) ID() id.MemberID { return p.id }

// Room returns the room's name.
func (p *Presence) Room() string { return p.room.name }

// Status returns how the presence stands, and why it was refused.
func (p *Presence) Status() (PresenceStatus, error) {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	return p.statusLocked()
}

// Set changes the state that others see. They are told at once, or, where this happens often,
// of the latest every Limits.PresencePause. It does not block.
func (p *Presence) Set(state []proto.Field) error {
	return p.SetEncoded(proto.AppendFields(nil, state))
}

// SetEncoded is Set for a state as proto.AppendFields writes it.
func (p *Presence) SetEncoded(state []byte) (err error) {
	defer wrap(&err, "set presence")
	if p.id.IsZero() {
		return fmt.Errorf("%w: the room is only watched", proto.ErrStructure)
	}
	n := p.room.node
	if err := n.checkPresence(state); err != nil {
		return err
	}
	p.room.mu.Lock()
	left := p.left
	p.state = state
	p.room.mu.Unlock()
	if left {
		return errLeft
	}
	return n.presence.tell(p)
}

// Members returns the others who are in the room, those who came first before the others.
func (p *Presence) Members() []*Member {
	p.room.mu.Lock()
	list := make([]*Member, 0, len(p.room.members))
	for m, member := range p.room.members {
		if m != p.id {
			list = append(list, member)
		}
	}
	p.room.mu.Unlock()
	slices.SortFunc(list, func(a, b *Member) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return a.ID.Compare(b.ID.ULID)
	})
	return list
}

// Subscribe calls f with how the room is, before it returns, and then with what happens in it,
// one change after the other, until stop. f returns soon.
func (p *Presence) Subscribe(f func(*RoomChange)) (stop func()) {
	s := &presenceSubscriber{call: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := p.room
	r.mu.Lock()
	number := p.next
	p.next++
	p.subs[number] = s
	now := p.snapshotLocked()
	r.mu.Unlock()
	f(now)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(p.subs, number)
	}
}

// Leave leaves the room; others see that soon. Leaving twice is harmless.
func (p *Presence) Leave() { p.depart(proto.Gone) }

// Depart ends the presence like a lost connection: for others the member stays for the grace,
// and longer if it enters again by its key meanwhile.
func (p *Presence) Depart() { p.depart(proto.Away) }

func (p *Presence) depart(how proto.Attendance) {
	r := p.room
	r.mu.Lock()
	first := !p.left
	p.left = true
	clear(p.subs)
	r.mu.Unlock()
	if first {
		r.node.presence.leave(p, how)
	}
}
