package core_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// onlooker is a presence, and what its changes add up to.
type onlooker struct {
	*core.Presence
	t testing.TB

	mu      sync.Mutex
	members map[id.MemberID]*core.Member
	left    []string // the names of those who left, in turn
	status  core.PresenceStatus
}

func named(name string) []proto.Field {
	return []proto.Field{{Name: "name", Value: value.String(name)}}
}

func nameOf(m *core.Member) string {
	for _, f := range m.Fields() {
		if s, ok := f.Value.AsString(); ok && f.Name == "name" {
			return s
		}
	}
	return "?"
}

// enter enters a room under a name; without one it only watches.
func enter(t testing.TB, c *core.Context, room, name string) *onlooker {
	t.Helper()
	var p *core.Presence
	var err error
	if name == "" {
		p, err = c.Watch(room)
	} else {
		p, err = c.Enter(room, named(name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return onlook(t, p)
}

func onlook(t testing.TB, p *core.Presence) *onlooker {
	o := &onlooker{Presence: p, t: t}
	p.Subscribe(o.take)
	t.Cleanup(p.Leave)
	return o
}

func (o *onlooker) take(c *core.RoomChange) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.Reset {
		o.members = map[id.MemberID]*core.Member{}
	}
	for _, m := range c.Left {
		if o.members[m] == nil {
			o.t.Errorf("somebody left who was not there")
			continue
		}
		o.left = append(o.left, nameOf(o.members[m]))
		delete(o.members, m)
	}
	for _, m := range c.Changed {
		if m.ID == o.ID() {
			o.t.Error("a presence sees itself among the others")
		}
		o.members[m.ID] = m
	}
	o.status = c.Status
}

// sees returns who is there, by the changes.
func (o *onlooker) sees() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return namesOf(o.members)
}

func namesOf(members map[id.MemberID]*core.Member) string {
	var list []string
	for _, m := range members {
		list = append(list, nameOf(m))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// wait waits until the presence is live and sees these; what its changes say is what Members
// returns.
func (o *onlooker) wait(want string) {
	o.t.Helper()
	await(o.t, fmt.Sprintf("%q is seen", want), func() bool { return o.sees() == want && o.is() == core.PresenceLive })
	var listed []string
	for _, m := range o.Members() {
		listed = append(listed, nameOf(m))
	}
	slices.Sort(listed)
	if now := strings.Join(listed, " "); now != want && o.sees() == want {
		o.t.Errorf("the list has %q, the changes say %q", now, want)
	}
}

func (o *onlooker) is() core.PresenceStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.status
}

// gone returns who has left so far.
func (o *onlooker) gone() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.left, " ")
}

// Members of a room see each other, whichever node they are on, and what they say of
// themselves; who leaves is gone.
func TestPresenceInARoom(t *testing.T) {
	server := durable(t, core.Options{})
	a, b := connected(t, server, core.Options{}), connected(t, server, core.Options{})
	matt, dom := enter(t, anonymous(a), "lobby", "matt"), enter(t, anonymous(b), "lobby", "dom")
	chris := enter(t, anonymous(b), "lobby", "chris") // another tab of the same node
	desk := enter(t, anonymous(server), "lobby", "desk")
	elsewhere := enter(t, anonymous(a), "studio", "matt")
	guard := enter(t, anonymous(a), "lobby", "")
	matt.wait("chris desk dom")
	dom.wait("chris desk matt")
	chris.wait("desk dom matt")
	desk.wait("chris dom matt")
	guard.wait("chris desk dom matt")
	elsewhere.wait("")

	if err := matt.Set(named("bellamy")); err != nil {
		t.Fatal(err)
	}
	if err := desk.Set(named("front desk")); err != nil {
		t.Fatal(err)
	}
	chris.wait("bellamy dom front desk")
	dom.Leave()
	matt.wait("chris front desk")
	desk.Leave()
	chris.wait("bellamy")
	guard.wait("bellamy chris")
	if err := dom.Set(named("dom")); core.KindOf(err) != core.KindClosed {
		t.Errorf("a member that has left says %v", err)
	}
	if err := guard.Set(named("guard")); core.KindOf(err) != core.KindInvalid {
		t.Errorf("who only watches says %v", err)
	}
	if gone := matt.gone(); gone != "dom desk" && gone != "dom front desk" {
		t.Errorf("%q have left", gone)
	}
}

// A change is told at once; many are told as the latest one.
func TestPresenceCoalesces(t *testing.T) {
	server := durable(t, core.Options{})
	w, _ := raw(t, server)
	w.hello()
	w.send(&proto.Attend{Number: 1, Room: "lobby"})
	if m := until[*proto.Members](w); !m.Reset || len(m.List) != 0 {
		t.Fatalf("%+v", m)
	}
	node := connected(t, server, core.Options{})
	cursor := enter(t, anonymous(node), "lobby", "0")
	const moves = 5000
	for i := range moves {
		if err := cursor.Set(named(fmt.Sprint(i + 1))); err != nil {
			t.Fatal(err)
		}
	}
	for frames := 1; ; frames++ {
		m := until[*proto.Members](w)
		last := nameOf(&core.Member{State: m.List[len(m.List)-1].State})
		if last != fmt.Sprint(moves) {
			continue
		}
		if frames > moves/10 {
			t.Errorf("%d changes were told in %d frames", moves, frames)
		}
		return
	}
}

// A presence that begins without a connection is held until there is one, and survives one that
// is lost.
func TestPresenceWaitsForAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := core.Limits{PresenceGrace: 5 * time.Second}
		server := durable(t, core.Options{Limits: limits})
		node := open(t, core.Options{Limits: limits})
		matt := enter(t, anonymous(node), "lobby", "nobody")
		if status, err := matt.Status(); status != core.PresenceWaiting || err != nil {
			t.Errorf("without a connection it is %v, %v", status, err)
		}
		if err := matt.Set(named("matt")); err != nil {
			t.Fatal(err)
		}
		guard := enter(t, anonymous(server), "lobby", "guard")
		link := local.Connect(server, node)
		matt.wait("guard")
		guard.wait("matt")

		for _, away := range []time.Duration{time.Second, 4900 * time.Millisecond} {
			link.Close()
			time.Sleep(away)
			if matt.sees() != "guard" || matt.is() != core.PresenceWaiting || guard.sees() != "matt" {
				t.Errorf("after %v they see %q and %q, %v", away, matt.sees(), guard.sees(), matt.is())
			}
			link = local.Connect(server, node)
			matt.wait("guard")
			guard.wait("matt")
		}
		if matt.gone()+guard.gone() != "" {
			t.Errorf("%q, %q have left for a moment", matt.gone(), guard.gone())
		}
		link.Close()
		time.Sleep(limits.PresenceGrace + 100*time.Millisecond)
		if matt.sees() != "" || guard.sees() != "" {
			t.Errorf("after the grace they see %q and %q", matt.sees(), guard.sees())
		}
		link = local.Connect(server, node)
		matt.wait("guard")
		guard.wait("matt")
		link.Close()
	})
}

// A member that moves to another connection, as after a reload, has never left; what is said on
// the old one does not count any more.
func TestPresenceMovesWithItsKey(t *testing.T) {
	server := durable(t, core.Options{})
	guard := enter(t, anonymous(server), "lobby", "")
	key := proto.MemberKey{7}
	a, b := connected(t, server, core.Options{}), connected(t, server, core.Options{})
	old, err := anonymous(a).EnterAs(key, "lobby", proto.AppendFields(nil, named("old")))
	if err != nil {
		t.Fatal(err)
	}
	guard.wait("old")
	since := guard.Members()[0].Since
	old.Depart()
	fresh, err := anonymous(b).EnterAs(key, "lobby", proto.AppendFields(nil, named("new")))
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Leave()
	guard.wait("new")
	if m := guard.Members()[0]; m.ID != old.ID() || m.ID != key.Member() || !m.Since.Equal(since) {
		t.Errorf("it is %v since %v, and was %v since %v", m.ID, m.Since, old.ID(), since)
	}
	if guard.gone() != "" {
		t.Errorf("%q left", guard.gone())
	}
}

// doorman is an agent that knows who may be where.
type doorman struct{ policy.Agent }

func (doorman) Authenticate(_ context.Context, credentials []byte) (policy.Principal, error) {
	return policy.Principal{Name: string(credentials)}, nil
}

func (doorman) See(p policy.Principal, room string) error {
	if p.Name == "" && room != "street" {
		return policy.Denied("strangers do not see %s", room)
	}
	return nil
}

func (doorman) Enter(p policy.Principal, room string) error {
	if p.Name != "matt" {
		return policy.Denied("%s is not on the list", p.Name)
	}
	return nil
}

// The policy says who may see and enter a room, the server who somebody is; with an agent that
// says nothing nobody may.
func TestWhoMayBePresent(t *testing.T) {
	server := durable(t, core.Options{Policy: doorman{policy.Permissive()}})
	dial := func(name string) *core.Context {
		n := open(t, core.Options{})
		n.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{Credentials: []byte(name)})
		return anonymous(n)
	}
	refused := func(o *onlooker, kind core.Kind) {
		t.Helper()
		await(t, "refused", func() bool { return o.is() == core.PresenceRefused })
		if _, err := o.Presence.Status(); core.KindOf(err) != kind {
			t.Errorf("refused with %v", err)
		}
	}
	matt, dom, stranger := dial("matt"), dial("dom"), dial("")
	inside, outside := enter(t, matt, "studio", "bellamy"), enter(t, dom, "studio", "")
	outside.wait("bellamy")
	if user := outside.Members()[0].User; user != "matt" {
		t.Errorf("the principal is %q", user)
	}
	inside.wait("")
	refused(enter(t, dom, "studio", "matt"), core.KindDenied)
	refused(enter(t, stranger, "studio", ""), core.KindDenied)
	enter(t, stranger, "street", "").wait("")
	for name, forbidden := range map[string]policy.Agent{"a doorman": doorman{policy.Permissive()}, "an agent without rooms": struct{ policy.Agent }{policy.Permissive()}} {
		closed := durable(t, core.Options{Policy: forbidden})
		if _, err := closed.Context(policy.Principal{}).Enter("studio", nil); core.KindOf(err) != core.KindDenied {
			t.Errorf("%s says %v", name, err)
		}
		if _, err := closed.Context(policy.Principal{}).Watch("studio"); core.KindOf(err) != core.KindDenied {
			t.Errorf("%s says %v", name, err)
		}
	}
}

// What is too much is refused, one by one, and the rest goes on.
func TestPresenceLimits(t *testing.T) {
	limits := core.Limits{PresenceRooms: 3, PresenceState: 100, PresenceMembers: 2, PresencePrincipal: 4, PresenceTotal: 6}
	server := durable(t, core.Options{Limits: limits})
	answer := func(w *wire, m *proto.Attend) core.Kind {
		t.Helper()
		w.send(m)
		for {
			if got := until[*proto.Members](w); got.Number == m.Number {
				return core.Kind(got.Kind)
			}
		}
	}
	w, _ := raw(t, server)
	w.hello()
	for i, c := range []struct {
		m    *proto.Attend
		want core.Kind
	}{
		{&proto.Attend{Number: 1, Room: "a", Key: proto.MemberKey{1}, State: proto.AppendFields(nil, named(strings.Repeat("x", 100)))}, core.KindTooLarge},
		{&proto.Attend{Number: 2, Room: "", Key: proto.MemberKey{1}}, core.KindInvalid},
		{&proto.Attend{Number: 3, Room: "a", Key: proto.MemberKey{1}}, core.KindNone},
		{&proto.Attend{Number: 4, Room: "a", Key: proto.MemberKey{2}}, core.KindNone},
		{&proto.Attend{Number: 5, Room: "a", Key: proto.MemberKey{3}}, core.KindLimit},
		{&proto.Attend{Number: 6, Room: "a"}, core.KindNone},
		{&proto.Attend{Number: 7, Room: "b"}, core.KindLimit},
	} {
		if got := answer(w, c.m); got != c.want {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
	}
	// A state that has become too large ends the member, not the connection.
	if got := answer(w, &proto.Attend{Number: 3, Room: "a", Key: proto.MemberKey{1}, State: proto.AppendFields(nil, named(strings.Repeat("x", 100)))}); got != core.KindTooLarge {
		t.Errorf("a large state is %v", got)
	}
	other, _ := raw(t, server)
	other.hello()
	for i := range 2 {
		room := fmt.Sprint("room ", i)
		if got := answer(other, &proto.Attend{Number: uint64(i + 1), Room: room, Key: proto.MemberKey{9, byte(i)}}); got != core.KindNone {
			t.Errorf("%s: %v", room, got)
		}
	}
	desk := anonymous(server)
	if _, err := desk.Enter("room 2", named(strings.Repeat("x", 100))); core.KindOf(err) != core.KindTooLarge {
		t.Errorf("a large state is %v", err)
	}
	if _, err := desk.Enter(strings.Repeat("x", proto.MaxRoomBytes+1), nil); core.KindOf(err) != core.KindInvalid {
		t.Errorf("a long name is %v", err)
	}
	var last error
	for i := range 7 {
		if _, last = desk.Enter(fmt.Sprint("own ", i), nil); last != nil {
			break
		}
	}
	if core.KindOf(last) != core.KindLimit {
		t.Errorf("one too many is %v", last)
	}
}

// What no honest peer sends ends its connection, and harms nobody.
func TestHostilePresence(t *testing.T) {
	server := durable(t, core.Options{})
	guard := enter(t, anonymous(server), "lobby", "")
	key := proto.MemberKey{1}
	hello := func() (*wire, chan error) {
		w, served := raw(t, server)
		w.hello()
		return w, served
	}
	honest, _ := hello()
	honest.send(&proto.Attend{Number: 1, Room: "lobby", Key: key, Seq: 5, State: proto.AppendFields(nil, named("matt"))})
	guard.wait("matt")
	forged := &proto.Spread{List: []proto.Attending{{Room: "lobby", Home: id.EpochID{ULID: id.New(nil)}, Seq: 1 << 60,
		Present: proto.Present{Member: key.Member(), User: "mallory", State: proto.AppendFields(nil, named("mallory"))}}}}
	for name, frames := range map[string][]proto.Frame{
		"speaks as a server":  {forged},
		"tells members":       {&proto.Members{Number: 1}},
		"changes its room":    {&proto.Attend{Number: 1, Room: "a", Key: proto.MemberKey{2}}, &proto.Attend{Number: 1, Room: "b", Key: proto.MemberKey{2}}},
		"changes who it is":   {&proto.Attend{Number: 1, Room: "a", Key: proto.MemberKey{2}}, &proto.Attend{Number: 1, Room: "a", Key: proto.MemberKey{3}}},
		"takes the id as key": {&proto.Attend{Number: 1, Room: "lobby", Key: proto.MemberKey(key.Member().Array()), State: proto.AppendFields(nil, named("mallory"))}, forged},
	} {
		w, served := hello()
		for _, f := range frames {
			w.send(f)
		}
		if err := <-served; err == nil {
			t.Errorf("who %s is served", name)
		}
	}
	await(t, "matt is there", func() bool { return strings.Contains(guard.sees(), "matt") })
	honest.send(&proto.Attend{Number: 1, Room: "lobby", Key: key, Seq: 6, State: proto.AppendFields(nil, named("bellamy"))})
	await(t, "matt speaks", func() bool { return strings.Contains(guard.sees(), "bellamy") })
	honest.send(&proto.Attend{Number: 99, Room: "lobby", Key: key, Seq: 7, Attendance: proto.Gone}) // a number that stands for nothing
	honest.send(&proto.Ping{Time: 1})
	until[*proto.Pong](honest)
}

// Nothing of presence is stored.
func TestPresenceIsNotStored(t *testing.T) {
	disk := memory.NewDisk()
	server := durable(t, core.Options{Engine: disk.Open()})
	node := connected(t, server, core.Options{})
	matt := enter(t, anonymous(node), "lobby", "unmistakable")
	enter(t, anonymous(server), "lobby", "").wait("unmistakable")
	matt.wait("")
	feed := server.Published()
	for i := range 50 {
		if err := matt.Set(named(fmt.Sprint("unmistakable ", i))); err != nil {
			t.Fatal(err)
		}
	}
	if server.Published() != feed {
		t.Error("the feed has grown")
	}
	s := &site{disk: disk, node: server}
	for key, value := range s.contents(t) {
		if strings.Contains(key, "unmistakable") || bytes.Contains(value, []byte("unmistakable")) {
			t.Errorf("%q holds it", key)
		}
	}
}
