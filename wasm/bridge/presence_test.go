package bridge_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// roomView is a room as a page has it.
type roomView struct {
	status  frame.RoomStatus
	err     *frame.Error
	members map[id.MemberID]string
	left    int
}

// room folds what the page was told of a room; the caller holds mu.
func (p *page) room(number uint64) roomView {
	v := roomView{members: map[id.MemberID]string{}}
	for _, m := range p.log {
		told, ok := m.(*frame.Members)
		if !ok || told.Number != number {
			continue
		}
		v.status, v.err = told.Status, told.Err
		if told.Reset {
			clear(v.members)
		}
		for _, x := range told.Changed {
			fields, _ := proto.DecodeFields(x.State)
			v.members[x.ID], _ = fields[0].Value.AsString()
		}
		for _, x := range told.Left {
			delete(v.members, x)
			v.left++
		}
	}
	return v
}

func (p *page) seesMembers(number uint64, want string) {
	p.t.Helper()
	p.until("members "+want, func() bool {
		v := p.room(number)
		return v.status == frame.RoomLive && strings.Join(slices.Sorted(maps.Values(v.members)), " ") == want
	})
}

func (p *page) attend(number uint64, room string, key byte, name string) {
	m := &frame.Attend{Number: number, Room: room}
	if key != 0 {
		m.Key = proto.MemberKey{key}
		m.State = proto.AppendFields(nil, []proto.Field{{Name: "name", Value: value.String(name)}})
	}
	p.send(m)
}

// Tabs of one worker are members of their own, and see each other and those elsewhere.
func TestPresenceOfPages(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	first, second := w.join(), w.join()
	first.attend(1, "lobby", 1, "matt")
	second.attend(1, "lobby", 2, "dom")
	second.attend(2, "studio", 0, "")
	first.seesMembers(1, "dom")
	second.seesMembers(1, "matt")
	second.seesMembers(2, "")
	first.attend(1, "lobby", 1, "bellamy")
	second.seesMembers(1, "bellamy")
	first.send(&frame.Attend{Number: 1, Room: "lobby", Attendance: proto.Gone})
	second.seesMembers(1, "")
	first.attend(2, "lobby", 1, "matt")
	second.seesMembers(1, "matt")

	// A page that is loaded anew, and has its key again, has not left.
	left := second.leftOf(1)
	first.session.Close()
	again := w.join()
	again.attend(1, "lobby", 1, "reloaded")
	second.seesMembers(1, "reloaded")
	if second.leftOf(1) != left {
		t.Error("a page that is loaded anew has left for a moment")
	}
}

func (p *page) leftOf(number uint64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room(number).left
}

// What cannot be is refused, and harms no other room.
func TestPresenceRefusedToPages(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{Rooms: 2})
	p := w.join()
	p.attend(1, "lobby", 1, "matt")
	p.seesMembers(1, "")
	for number, c := range map[uint64]struct {
		message *frame.Attend
		code    string
	}{
		2: {&frame.Attend{Room: "", Key: proto.MemberKey{2}}, "invalid"},
		3: {&frame.Attend{Room: "a", Key: proto.MemberKey{2}, State: []byte{1}}, "invalid"},
		4: {&frame.Attend{Room: "a", Key: proto.MemberKey{2}, State: proto.AppendFields(nil, []proto.Field{{Name: "x", Value: value.String(strings.Repeat("x", 5000))}})}, "too-large"},
	} {
		c.message.Number = number
		p.send(c.message)
		p.until(c.code, func() bool { v := p.room(number); return v.status == frame.RoomRefused && v.err.Code == c.code })
	}
	p.attend(5, "studio", 0, "")
	p.seesMembers(5, "")
	p.attend(6, "attic", 0, "")
	p.until("limit", func() bool { v := p.room(6); return v.status == frame.RoomRefused && v.err.Code == "limit" })
	p.attend(1, "lobby", 1, "bellamy")
	p.seesMembers(1, "")
}
