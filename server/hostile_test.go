package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/server/admin"
)

var hostileTime = flag.Duration("hostile.time", 300*time.Millisecond, "how long each attack of TestHostilePeers goes on")

// attacks are what hostile peers do to a server, each as often as it likes while it lasts. The
// numbers are those of the catalogue of behaviour; docs/threat-model.md names the claims.
var attacks = []struct {
	name string
	by   int // attackers at a time
	do   func(a *attacker)
}{
	{"a handshake that never ends", 4, func(a *attacker) {
		conn, err := a.tcp()
		if err != nil {
			return
		}
		conn.Write([]byte("GET /ws HTTP/1.1\r\nHost: "))
		a.pause()
	}},
	{"headers that never end", 2, func(a *attacker) {
		conn, err := a.tcp()
		for err == nil && a.ctx.Err() == nil {
			_, err = conn.Write([]byte("X: " + strings.Repeat("x", 1000) + "\r\n"))
		}
	}},
	{"a connection that says nothing", 4, func(a *attacker) {
		a.upgraded()
		a.pause()
	}},
	{"287 half a frame", 4, func(a *attacker) {
		if conn, _, err := a.upgraded(); err == nil {
			conn.Write(frame(0x82, 100_000, make([]byte, 1000)))
			a.pause()
		}
	}},
	{"352 a frame that claims 2^62 bytes", 2, func(a *attacker) {
		if conn, _, err := a.upgraded(); err == nil {
			conn.Write(frame(0x82, 1<<62, make([]byte, 1000)))
			if !a.ended(conn) {
				a.t.Error("the connection goes on")
			}
		}
	}},
	{"287 a large frame before the hello", 2, func(a *attacker) {
		if conn, _, err := a.upgraded(); err == nil {
			conn.Write(frame(0x82, 1<<20, make([]byte, 1<<20)))
			if !a.ended(conn) {
				a.t.Error("the connection goes on")
			}
		}
	}},
	{"287 what is no WebSocket frame", 2, func(a *attacker) {
		for _, b := range [][]byte{
			frame(0x81, 5, []byte("hello")),       // text
			frame(0x83, 5, []byte("hello")),       // an opcode that means nothing
			frame(0xf2, 5, []byte("hello")),       // reserved bits
			frame(0x80, 5, []byte("hello")),       // the continuation of nothing
			{0x82, 0x05, 'h', 'e', 'l', 'l', 'o'}, // not masked
			frame(0x89, 200, make([]byte, 200)),   // a ping that is too long
			bytes.Repeat([]byte{0xff}, 100),       // nothing at all
		} {
			if conn, _, err := a.upgraded(); err == nil {
				conn.Write(b)
				if !a.ended(conn) {
					a.t.Errorf("after % x the connection goes on", b[:2])
				}
			}
		}
	}},
	{"a frame in parts without end", 2, func(a *attacker) {
		conn, _, err := a.upgraded()
		if err == nil {
			_, err = conn.Write(frame(0x02, 1, []byte{proto.Version}))
		}
		parts := bytes.Repeat(frame(0x00, 0, nil), 1000)
		for err == nil && a.ctx.Err() == nil {
			_, err = conn.Write(parts)
		}
	}},
	{"a flood of pings", 2, func(a *attacker) {
		conn, _, err := a.upgraded()
		pings := bytes.Repeat(frame(0x89, 0, nil), 1000)
		for err == nil && a.ctx.Err() == nil {
			_, err = conn.Write(pings)
		}
	}},
	{"a flood of connections", 4, func(a *attacker) {
		if p, err := a.peer(); err == nil {
			p.conn.Close("")
		}
	}},
	{"283 285 287 350 frames that mean nothing", 2, hostileFrames},
	{"352 values nested without end", 1, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		e := p.creation("deep")
		body := proto.AppendFrame(nil, commit(e))
		p.sendBytes(append(body[:len(body)-3], bytes.Repeat([]byte{0x91}, 1<<20)...))
		p.ended()
		if p, err = a.peer(); err == nil {
			p.sendBytes(append([]byte{proto.Version, 6}, bytes.Repeat([]byte{0x91}, 1<<20)...))
			p.ended()
		}
	}},
	{"333 to 351 events that are wrong", 2, hostileEvents},
	{"343 more siblings than there may be", 1, hostileSiblings},
	{"337 the same again and again", 1, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		p.ignore()
		events := []*proto.Event{p.creation("replayed")}
		for len(events) < 100 {
			events = append(events, p.edit(events[len(events)-1], fmt.Sprint(len(events))))
		}
		for m := commit(events...); p.send(m) && p.send(commit(events...)) && p.send(commit(events[50])); {
		}
	}},
	{"a flood of commits whose answers nobody reads", 4, func(a *attacker) {
		p, err := a.peer()
		for err == nil && p.send(commit(p.creation("flood"))) {
		}
	}},
	{"342 a flood of large commits", 4, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		p.ignore()
		for {
			m := commit()
			for range 20 {
				m.Events = append(m.Events, p.creation(strings.Repeat("x", 100_000)))
			}
			if !p.send(m) {
				return
			}
		}
	}},
	{"349 a flood of subscriptions", 2, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		p.ignore()
		for i := uint64(1); p.send(&proto.Subscribe{Sub: i, Collection: "album", Text: fmt.Sprintf("artist LIKE '%%%d%%'", i)}); i++ {
		}
	}},
	{"349 selections that cost much", 2, hostileSelections},
	{"349 windows of large rows", 2, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		p.ignore()
		for sub := uint64(1); ; sub++ { // each another one, and only the last few are still wanted
			order := fmt.Sprint("ORDER BY name, artist LIMIT ", 1_000_000+sub)
			if !p.send(&proto.Subscribe{Sub: sub, Collection: "album", Text: order}) || !p.send(&proto.Unsubscribe{Sub: sub - 5}) {
				return
			}
		}
	}},
	{"a flood of questions", 2, hostileQuestions},
	{"277 a reader that does not read", 8, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		for i := range uint64(50) {
			p.send(&proto.Subscribe{Sub: i + 1, Collection: "album"})
		}
		e := p.creation(strings.Repeat("x", 10_000))
		for p.send(commit(e)) {
			e = p.edit(e, strings.Repeat("y", 10_000))
		}
	}},
	{"groups without number", 2, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		p.ignore()
		for i := uint64(1); p.send(&proto.Aggregate{Sub: i, Collection: "album", GroupBy: [][]string{{"artist"}, {"name"}, {"id"}},
			Columns: []proto.AggregateColumn{{Function: 1, Path: []string{"id"}, Distinct: true}}}); i++ {
		}
	}},
	{"models that contradict each other", 1, func(a *attacker) {
		p, err := a.peer()
		if err != nil {
			return
		}
		p.ignore()
		for i := uint64(1); p.send(&proto.Register{Request: i, Models: []*schema.Model{{Collection: "album",
			Properties: []schema.Property{{Name: "artist", Type: schema.TypeInt}}}}}); i++ {
		}
	}},
}

// pause keeps what an attacker has opened, and lets him begin anew soon.
func (a *attacker) pause() {
	select {
	case <-a.ctx.Done():
	case <-time.After(time.Duration(a.r.IntN(20)) * time.Millisecond):
	}
}

// hostileFrames sends what no honest peer sends: the server says why it ends the connection.
func hostileFrames(a *attacker) {
	nonsense := make([]byte, 1+a.r.IntN(200))
	for i := range nonsense {
		nonsense[i] = byte(a.r.Uint32())
	}
	for _, b := range [][]byte{
		nil,
		nonsense,
		append([]byte{proto.Version}, nonsense...),
		{proto.Version, 99, 0x90},
		{proto.Version, 10, 0xdd, 0xff, 0xff, 0xff, 0xff},
		{proto.Version + 1, 1, 0x90},
		proto.AppendFrame(nil, &proto.Hello{Node: id.NodeID{ULID: id.New(nil)}}),
		proto.AppendFrame(nil, &proto.Update{}),
		proto.AppendFrame(nil, &proto.Rows{Sub: 1, Collection: "album"}),
		proto.AppendFrame(nil, &proto.Ack{Transaction: id.TransactionID{ULID: id.New(nil)}}),
		append(proto.AppendFrame(nil, &proto.Ping{}), 0),
		proto.AppendFrame(nil, &proto.Subscribe{Sub: 1, Collection: "album", Text: strings.Repeat("x", 1<<20)}),
	} {
		if p, err := a.peer(); err == nil && p.sendBytes(b) {
			p.ended()
		}
	}
}

// hostileEvents sends transactions that are refused, each for its reason, on a connection that
// goes on.
func hostileEvents(a *attacker) {
	p, err := a.peer()
	if err != nil {
		return
	}
	own, ghost := p.creation("own"), p.creation("never sent")
	p.send(commit(own))
	if _, err := next[*proto.Ack](p); err != nil {
		return
	}
	changed := func(e *proto.Event, change func(*proto.Event)) *proto.Event {
		c := *e
		change(&c)
		return p.mint(&c, time.Now())
	}
	for what, c := range map[string]struct {
		event *proto.Event
		kind  core.Kind
	}{
		"333 338 341 an entity that was never created": {p.edit(ghost, "x"), core.KindMissingParents},
		"340 a foreign root": {changed(p.edit(own, "x"), func(e *proto.Event) {
			e.Parents = proto.NewClock(ghost.ID)
		}), core.KindMissingParents},
		"335 another creation beside it": {changed(p.edit(own, "x"), func(e *proto.Event) {
			e.Parents = proto.NewClock(own.ID, ghost.ID)
		}), core.KindMissingParents},
		"a forged author": {changed(p.edit(own, "x"), func(e *proto.Event) {
			e.Author = id.NodeID{ULID: id.New(nil)}
		}), core.KindDenied},
		"a forged user": {changed(p.edit(own, "x"), func(e *proto.Event) { e.User = "root" }), core.KindDenied},
		"348 another collection": {changed(p.edit(own, "x"), func(e *proto.Event) {
			e.Collection = "elsewhere"
		}), core.KindSchema},
		"311 a protected collection": {changed(p.creation("x"), func(e *proto.Event) {
			e.Collection = schema.ReservedPrefix + "model"
		}), core.KindDenied},
		"351 an unknown kind": {changed(p.edit(own, "x"), func(e *proto.Event) {
			e.Operations = []proto.Operation{{Property: "artist", Kind: 200, Data: []byte{1}}}
		}), core.KindSchema},
		"346 bytes that are no value": {changed(p.edit(own, "x"), func(e *proto.Event) {
			e.Operations = []proto.Operation{{Property: "artist", Kind: lww.Code, Data: []byte{0xc1}}}
		}), core.KindInvalid},
		"from the future": {p.mint(&proto.Event{Collection: "album", Author: p.node, Operations: set("artist", "x"), Nonce: [proto.NonceSize]byte{9}},
			time.Now().Add(time.Hour)), core.KindClockDrift},
	} {
		m := commit(p.creation("beside"), c.event)
		if !p.send(m) {
			return
		}
		nack, err := next[*proto.Nack](p)
		if err != nil {
			if a.ctx.Err() == nil {
				a.t.Errorf("%s: %v", what, err)
			}
			return
		}
		if nack.Transaction != m.Transaction || nack.Kind != uint64(c.kind) {
			a.t.Errorf("%s: %v: %s", what, core.Kind(nack.Kind), nack.Message)
		}
	}
	// 336: an event is what its id says, or the connection ends: ids that do not rise, and a
	// second body under a known id, with which a cycle would begin.
	for _, forged := range [][]byte{
		bytes.Replace(proto.AppendFrame(nil, commit(p.edit(own, "victim"))), []byte("victim"), []byte("forged"), 1),
		bytes.Replace(proto.AppendFrame(nil, commit(p.creation("victim"))), []byte("victim"), []byte("forged"), 1),
		sameParent(p, own),
	} {
		if q, err := a.peer(); err == nil && q.sendBytes(forged) {
			q.ended()
		}
	}
}

// sameParent returns a commit of an edit that is made on top of something later than itself.
func sameParent(p *peer, on *proto.Event) []byte {
	later := p.mint(&proto.Event{Collection: "album", Entity: on.Entity, Parents: proto.NewClock(on.ID), Author: p.node, Operations: set("artist", "later")},
		time.Now().Add(time.Minute))
	e := p.edit(on, "x")
	return bytes.Replace(proto.AppendFrame(nil, commit(e)), on.ID.Bytes(), later.ID.Bytes(), -1)
}

func hostileSiblings(a *attacker) {
	p, err := a.peer()
	if err != nil {
		return
	}
	first := p.creation("wide")
	p.send(commit(first))
	if _, err := next[*proto.Ack](p); err != nil {
		return
	}
	go func() {
		for i := range 256 {
			p.send(commit(p.edit(first, fmt.Sprint(i))))
		}
	}()
	for range 256 - core.DefaultLimits().Siblings { // of 256 so many are refused
		nack, err := next[*proto.Nack](p)
		if err != nil {
			return
		}
		if nack.Kind != uint64(core.KindLimit) {
			a.t.Errorf("%v: %s", core.Kind(nack.Kind), nack.Message)
		}
	}
}

// hostileSelections asks for what takes much to evaluate: it is refused, or it waits its turn.
func hostileSelections(a *attacker) {
	p, err := a.peer()
	if err != nil {
		return
	}
	p.ignore()
	like := "artist LIKE '" + strings.Repeat("%a_", 10) + "%'"
	many := make([]value.Value, 10_000)
	for i := range many {
		many[i] = value.String(fmt.Sprint("name ", i))
	}
	list := "artist IN (" + strings.TrimSuffix(strings.Repeat("?,", len(many)), ",") + ")"
	sub := uint64(0)
	for {
		for _, m := range []*proto.Subscribe{
			{Text: either(like, 1200)},
			{Text: either(like, 350)},
			{Text: like + " ORDER BY artist, name, year LIMIT 1000"},
			{Text: either("artist = 'a'", 4000)},
			{Text: list, Params: many},
			{Text: strings.Repeat("(", 10_000) + "TRUE" + strings.Repeat(")", 10_000)},
			{Text: strings.Repeat("NOT ", 10_000) + "TRUE"},
			{Text: strings.Repeat("artist.", 40) + "name = 'x'"},
			{Text: "ORDER BY name LIMIT 1073741824"},
			{Text: "artist LIKE '" + strings.Repeat("%", 4000) + "'"},
			{Text: "artist = '" + strings.Repeat("x", 60_000) + "'"},
		} {
			sub++
			m.Sub, m.Collection = sub, "album"
			if !p.send(m) || !p.send(&proto.Unsubscribe{Sub: sub - 5}) {
				return
			}
		}
	}
}

// hostileQuestions asks as fast as it can.
func hostileQuestions(a *attacker) {
	p, err := a.peer()
	if err != nil {
		return
	}
	p.ignore()
	e := p.creation("asked for")
	ids := make([]id.EntityID, 1000)
	for i := range ids {
		ids[i] = id.EntityID{ULID: id.New(nil)}
	}
	for p.send(commit(e)) && p.send(&proto.Get{Request: 1, Collection: "album", Entities: ids}) &&
		p.send(&proto.Get{Request: 2, Collection: "album", Entities: make([]id.EntityID, 60_000)}) &&
		p.send(&proto.History{Request: 3, Collection: "album", Entity: e.Entity}) &&
		p.send(&proto.AsOf{Request: 4, Collection: "album", Entity: e.Entity, Time: time.Now().UnixMicro()}) &&
		p.send(&proto.Locate{Request: 5, Collection: "album", Text: "ORDER BY name", Index: 1 << 40}) &&
		p.send(&proto.Unsubscribe{Sub: 12345}) && p.send(&proto.Ping{}) {
		e = p.edit(e, "again")
	}
}

// heapOf returns what holds most of a server's memory: for each place the objects and bytes that
// are in use, and how it came there.
func heapOf(t *testing.T, socket string) string {
	profile, err := admin.NewClient(socket).Profile(t.Context(), "heap")
	if err != nil {
		return err.Error()
	}
	defer profile.Close()
	text, err := io.ReadAll(profile)
	if err != nil {
		return err.Error()
	}
	places := strings.Split(string(text), "\n\n")
	used := func(place string) (bytes int) {
		var objects int
		fmt.Sscanf(place, "%d: %d [", &objects, &bytes)
		return bytes
	}
	slices.SortStableFunc(places, func(a, b string) int { return used(b) - used(a) })
	return strings.Join(places[:min(len(places), 12)], "\n\n")
}

// Whatever hostile peers do, the server stays up, its memory stays flat, and two clients that
// are connected all the while lose nothing, and wait no longer than they would in a crowd.
func TestHostilePeers(t *testing.T) {
	leaktest.Check(t)
	seed, while := rand.Uint64(), *hostileTime
	if testing.Short() {
		while = min(while, 50*time.Millisecond) // the race detector looks for something else
	}
	t.Logf("seed %d", seed)
	t.Setenv("GOMEMLIMIT", "768MiB") // as docs/limits.md says: what is not in use does not count
	socket := filepath.Join(t.TempDir(), "admin.sock")
	p := spawn(t, "--addr=127.0.0.1:0", "--data="+t.TempDir(), "--metrics", "--limit=handshake=2s", "--admin="+socket)
	url := p.url(t)
	address := strings.TrimPrefix(url, "ws://")
	http := "http://" + address
	b := standBy(t, url)
	alone := b.work(while)
	before := metric(t, http, "go_gc_heap_live_bytes")
	for i, attack := range attacks {
		held := t.Run(attack.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var attackers sync.WaitGroup
			b.t = t
			for j := range attack.by {
				a := &attacker{t: t, ctx: ctx, address: address, from: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i))}, r: rand.New(rand.NewPCG(seed, uint64(i*100+j)))}
				attackers.Go(func() {
					for ctx.Err() == nil {
						attack.do(a)
					}
				})
			}
			end := func() { cancel(); attackers.Wait() }
			defer end()
			took := b.work(while)
			end()
			b.undisturbed()
			t.Logf("%s, alone %s; %d MiB in use, at most %d", took, alone, metric(t, http, "go_gc_heap_live_bytes")>>20, peakMemory(p.Process.Pid)>>20)
			if most := 50*alone + 5*time.Second; took > most {
				t.Errorf("the bystanders' commits took %s, alone %s", took, alone)
			}
			if p.ProcessState != nil {
				t.Fatal("the server is gone")
			}
		})
		if !held {
			return // the server says what it is doing
		}
	}
	b.t = t
	if strings.Contains(p.log.String(), "panic") {
		t.Errorf("the server panicked:\n%s", p.log)
	}
	if testing.Short() {
		return // and needs memory of its own
	}
	for deadline := time.Now().Add(3 * time.Minute); ; b.work(while) {
		held := heapOf(t, socket) // collects what is not in use
		used := metric(t, http, "go_gc_heap_live_bytes")
		if used < before+128<<20 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are in use after the attacks, %d were before; where they were taken:\n%s", used, before, held)
		}
	}
	if peak := peakMemory(p.Process.Pid); peak > 1<<30 {
		t.Errorf("the server took %d MiB", peak>>20)
	}
	t.Logf("a commit took %s alone; peak memory %d MiB", alone, peakMemory(p.Process.Pid)>>20)
}
