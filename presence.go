package ankurah

import (
	"reflect"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Presence is being in a room, with a state of type S that the others there see. Where there is
// no connection it waits for one. It is stored nowhere. End it by Leave.
type Presence[S any] struct {
	presence *core.Presence
	mapping  *mapping
}

// Member is somebody else in a room.
type Member[S any] struct {
	ID    id.MemberID
	User  string    // the principal, as the durable node says; "" when anonymous
	Since time.Time // when it came, by the clock of its durable node
	State S         // what it says of itself; what does not fit is the zero value
}

// PresenceStatus is how a presence stands.
type PresenceStatus = core.PresenceStatus

// The statuses of a presence.
const (
	PresenceWaiting = core.PresenceWaiting
	PresenceLive    = core.PresenceLive
	PresenceRefused = core.PresenceRefused
)

// Enter enters a room. S is a struct whose fields have tags like a model's; nothing of it is
// registered. It returns at once: Status tells how it goes.
func Enter[S any](c *Context, room string, state S) (*Presence[S], error) {
	m, err := mappingOf(reflect.TypeFor[S]())
	if err != nil {
		return nil, err
	}
	fields, err := m.encode(reflect.ValueOf(state))
	if err != nil {
		return nil, err
	}
	p, err := c.Enter(room, fields)
	if err != nil {
		return nil, err
	}
	return &Presence[S]{p, m}, nil
}

// Watch looks at a room without being in it.
func Watch[S any](c *Context, room string) (*Presence[S], error) {
	m, err := mappingOf(reflect.TypeFor[S]())
	if err != nil {
		return nil, err
	}
	p, err := c.Watch(room)
	if err != nil {
		return nil, err
	}
	return &Presence[S]{p, m}, nil
}

// ID returns by which others know this member; zero where the room is only watched.
func (p *Presence[S]) ID() id.MemberID { return p.presence.ID() }

// Status returns how the presence stands, and why it was refused.
func (p *Presence[S]) Status() (PresenceStatus, error) { return p.presence.Status() }

// Set changes the state that others see. It may be called often: of many changes the latest is
// told. It does not block.
func (p *Presence[S]) Set(state S) error {
	fields, err := p.mapping.encode(reflect.ValueOf(state))
	if err != nil {
		return err
	}
	return p.presence.Set(fields)
}

// Members returns the others who are in the room, those who came first before the others.
func (p *Presence[S]) Members() []Member[S] {
	others := p.presence.Members()
	list := make([]Member[S], len(others))
	for i, m := range others {
		list[i] = Member[S]{ID: m.ID, User: m.User, Since: m.Since}
		p.decode(m.Fields(), &list[i].State)
	}
	return list
}

// decode fills a state from what a member says, which is whatever it likes.
func (p *Presence[S]) decode(fields []proto.Field, state *S) {
	into := reflect.ValueOf(state).Elem()
	for _, f := range p.mapping.fields {
		i := slices.IndexFunc(fields, func(x proto.Field) bool { return x.Name == f.name })
		v := value.Null
		if i >= 0 {
			v = fields[i].Value
		}
		if f.codec.set(into.Field(f.index), v) != nil {
			into.Field(f.index).SetZero()
		}
	}
}

// Subscribe calls f whenever something happens in the room, or the status changes, and once
// before it returns, until stop. f returns soon; Members tells who is there.
func (p *Presence[S]) Subscribe(f func()) (stop func()) {
	return p.presence.Subscribe(func(*core.RoomChange) { f() })
}

// Leave leaves the room; others see that soon. Leaving twice is harmless.
func (p *Presence[S]) Leave() { p.presence.Leave() }
