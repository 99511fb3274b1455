package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// payment is what aggregates are usually about.
var payment = &schema.Model{Collection: "payment", Properties: []schema.Property{
	{Name: "who", Type: schema.TypeString, Optional: true},
	{Name: "amount", Type: schema.TypeFloat, Optional: true},
	{Name: "read", Type: schema.TypeBool, Optional: true},
}}

func cashier(t *testing.T, opts core.Options) *core.Node {
	t.Helper()
	n := durable(t, opts)
	if err := n.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	return n
}

func aggregation(t testing.TB, where string, groupBy []string, columns ...ankql.Aggregate) *ankql.Aggregation {
	t.Helper()
	a, err := ankql.AggregationOf(selection(t, where), groupBy, columns...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func summarize(t testing.TB, c *core.Context, collection, where string, groupBy []string, columns ...ankql.Aggregate) *core.LiveAggregate {
	t.Helper()
	q, err := c.QueryAggregate(collection, aggregation(t, where, groupBy, columns...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

// figures writes the groups of a live aggregate in one line.
func figures(groups []*core.AggregateGroup) string {
	var list []string
	for _, g := range groups {
		list = append(list, fmt.Sprint(append(slices.Clone(g.Key), g.Values...)))
	}
	return strings.Join(list, " ")
}

func awaitFigures(t testing.TB, q *core.LiveAggregate, status core.QueryStatus, want string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for q.Status() != status || figures(q.Groups()) != want {
		if time.Now().After(deadline) {
			t.Fatalf("%s (%v, %v), want %s (%v)", figures(q.Groups()), q.Status(), q.Err(), want, status)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

var n = ankql.Count("n")

func TestEqualAggregatesAreOne(t *testing.T) {
	server := durable(t, core.Options{})
	clients := []*core.Node{connected(t, server, core.Options{}), connected(t, server, core.Options{})}
	var open []*core.LiveAggregate
	for i := range 5 {
		// Another name, another way to write the same: the same.
		where := []string{"year > 1990", "1990 < year", "album.year > '1990'"}[i%3]
		open = append(open, summarize(t, anonymous(server), "album", where, []string{"artist"}, ankql.Count(fmt.Sprint("n", i))))
		for _, c := range clients {
			open = append(open, summarize(t, anonymous(c), "album", where, []string{"artist"}, n))
		}
	}
	for _, q := range open {
		awaitFigures(t, q, core.QueryLive, "")
	}
	if got := server.Watches(); got != 1 {
		t.Errorf("%d equal aggregates cost the durable node %d watches", len(open), got)
	}
	create(t, server, "a", 1999)
	for _, q := range open {
		awaitFigures(t, q, core.QueryLive, "[NULL 1]")
	}
	other := summarize(t, anonymous(clients[0]), "album", "year > 1991", []string{"artist"}, n)
	awaitFigures(t, other, core.QueryLive, "[NULL 1]")
	if got := server.Watches(); got != 2 {
		t.Errorf("two different aggregates cost the durable node %d watches", got)
	}
	for _, q := range append(open, other) {
		q.Close()
		q.Close() // twice is harmless
	}
	eventually(t, "nothing is watched", func() bool {
		return server.Watches()+clients[0].Watches()+clients[1].Watches() == 0
	})
}

func TestAggregateOnce(t *testing.T) {
	server := cashier(t, core.Options{})
	once := func(n *core.Node, where string, groupBy []string, columns ...ankql.Aggregate) string {
		t.Helper()
		groups, err := anonymous(n).Aggregate(t.Context(), "payment", aggregation(t, where, groupBy, columns...))
		if err != nil {
			t.Fatal(err)
		}
		return figures(groups)
	}
	for i := range 10 {
		add(t, server, "payment", "who", []string{"ann", "bob"}[i%2], "amount", value.Float(0.1), "read", value.Bool(i < 3))
	}
	add(t, server, "payment")
	client, link := linked(t, server, core.Options{})
	if err := client.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*core.Node{server, client} {
		if got := once(at, "", nil, n, ankql.Sum("s", "amount"), ankql.Avg("m", "amount")); got != "[11 1 0.1]" {
			t.Errorf("of all: %s", got) // exactly: ten times 0.1 are 1, rounded once
		}
		if got := once(at, "read = TRUE ORDER BY who", []string{"who"}, n, ankql.CountDistinct("d", "amount")); got != `["ann" 2 1] ["bob" 1 1]` {
			t.Errorf("by who: %s", got)
		}
	}
	if got := once(server, "who = 'nobody'", nil, n, ankql.Sum("s", "amount")); got != "[0 NULL]" {
		t.Errorf("of none: %s", got)
	}
	if w := server.Watches() + client.Watches(); w != 0 {
		eventually(t, "nothing is watched", func() bool { return server.Watches()+client.Watches() == 0 })
	}
	offline(t, client, link)
	if got := once(client, "", nil, n); got != "[0]" {
		t.Errorf("offline, of what is here: %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lost := open(t, core.Options{})
	if err := lost.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	if _, err := anonymous(lost).Aggregate(ctx, "payment", aggregation(t, "", nil, n)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	for _, bad := range []*ankql.Aggregation{aggregation(t, "nothing = 1", nil, n), aggregation(t, "", nil, ankql.Sum("s", "who"))} {
		if _, err := anonymous(server).Aggregate(t.Context(), "payment", bad); core.KindOf(err) != core.KindSelection {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := anonymous(server).Aggregate(t.Context(), "_ankurah_property", aggregation(t, "", nil, n)); err == nil {
		t.Error("a protected collection is counted")
	}
}

// tape is every value that an aggregate showed, in order.
type tape struct {
	mu   sync.Mutex
	list []string
}

func (x *tape) take(c *core.AggregateChange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, g := range c.Changed {
		x.list = append(x.list, figures([]*core.AggregateGroup{g}))
	}
}

func (x *tape) all() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.list)
}

// Every value that is seen is the one before a change or the one after it: an own change
// shows at once, and does not show twice, or not at all, when the durable node has it.
func TestOwnChangesDoNotFlicker(t *testing.T) {
	server := cashier(t, core.Options{})
	client, link := linked(t, server, core.Options{Limits: core.Limits{Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}})
	if err := client.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	rows, err := anonymous(client).Query("payment", selection(t, "amount > 0"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	q := summarize(t, anonymous(client), "payment", "read = FALSE", nil, n, ankql.Sum("s", "amount"), ankql.Max("m", "amount"))
	awaitFigures(t, q, core.QueryLive, "[0 NULL NULL]")
	var seen tape
	defer q.Subscribe(seen.take)()
	var want []string
	var entities []id.EntityID
	expect := func(count int, sum value.Value) {
		t.Helper()
		text := fmt.Sprintf("%d %s", count, sum)
		want = append(want, text)
		if got := figures(q.Groups()); !strings.HasPrefix(got, "["+text+" ") {
			t.Fatalf("right after the commit %s is shown, want %s", got, text)
		}
	}
	want = append(want, "0 NULL")
	sums := []value.Value{value.Null}
	// 0.1 added up exactly and rounded once, as the durable node does.
	for i := range 40 {
		var s aggregate.Sum
		for range i + 1 {
			s.Add(value.Float(0.1), 1)
		}
		sums = append(sums, s.Total())
	}
	for i := range 40 {
		entities = append(entities, add(t, client, "payment", "amount", value.Float(0.1), "read", value.Bool(false)))
		expect(i+1, sums[i+1])
		if i%10 == 9 {
			link.Close()
			eventually(t, "offline", func() bool { return client.Status().Connection == core.Offline })
			link = local.Connect(server, client)
		}
		if i%7 == 0 {
			delivered(t, client)
		}
	}
	for i, e := range entities {
		put(t, client, "payment", e, "read", value.Bool(true))
		expect(39-i, sums[39-i])
		if i%9 == 0 {
			delivered(t, client)
		}
	}
	delivered(t, client)
	awaitFigures(t, q, core.QueryLive, "[0 NULL NULL]")
	last := -1
	for _, text := range seen.all() {
		at := slices.IndexFunc(want, func(w string) bool { return strings.HasPrefix(text, "["+w+" ") })
		if at > 40 || at < 0 {
			t.Fatalf("%s was seen", text)
		}
		// The sums go up and down by one step at a time.
		if last >= 0 && at != last+1 && at != last-1 && at != last {
			t.Fatalf("%s was seen after %s", text, want[last])
		}
		last = at
	}
	steps := 0
	for i, text := range seen.all() {
		if i > 0 && text != seen.all()[i-1] {
			steps++
		}
	}
	if steps != 80 {
		t.Errorf("80 changes were seen as %d steps", steps)
	}
}

// The same while somebody else writes: a count of what is only added to never goes back, and
// never exceeds what there is.
func TestCountsOfTwoWritersOnlyGrow(t *testing.T) {
	server := cashier(t, core.Options{})
	client, _ := linked(t, server, core.Options{})
	if err := client.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	q := summarize(t, anonymous(client), "payment", "", nil, n, ankql.Sum("s", "amount"))
	awaitFigures(t, q, core.QueryLive, "[0 NULL]")
	var committed atomic.Int64
	last := int64(0)
	defer q.Subscribe(func(c *core.AggregateChange) {
		for _, g := range c.Changed {
			count, _ := g.Values[0].AsInt()
			sum, _ := g.Values[1].AsFloat()
			if count < last || count > committed.Load() || sum != float64(count) {
				t.Errorf("%d (adding up to %v) after %d, when there are at most %d", count, sum, last, committed.Load())
			}
			last = count
		}
	})()
	const each = 150
	var done sync.WaitGroup
	for _, at := range []*core.Node{server, client} {
		done.Go(func() {
			for range each {
				committed.Add(1)
				add(t, at, "payment", "amount", value.Float(1))
			}
		})
	}
	done.Wait()
	awaitFigures(t, q, core.QueryLive, fmt.Sprintf("[%d %d]", 2*each, 2*each))
}

// A refused change is taken back, from the count too.
func TestRefusedChangesDoNotCount(t *testing.T) {
	agent := &scripted{Agent: policy.Permissive(), write: func(_ policy.Principal, w policy.Write) error {
		if who, _ := w.After.Field("who").AsString(); who == "nobody" {
			return policy.Denied("nobody pays")
		}
		return nil
	}}
	server := cashier(t, core.Options{Policy: agent})
	client, _ := linked(t, server, core.Options{})
	if err := client.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	e := add(t, server, "payment", "who", "ann", "amount", value.Float(2))
	q := summarize(t, anonymous(client), "payment", "", []string{"who"}, n, ankql.Sum("s", "amount"))
	awaitFigures(t, q, core.QueryLive, `["ann" 1 2]`)
	watch(t, client, "payment", "") // the rows are here, to be changed
	eventually(t, "the row is here", func() bool { _, err := anonymous(client).Get(t.Context(), "payment", e); return err == nil })
	var seen tape
	defer q.Subscribe(seen.take)()
	put(t, client, "payment", e, "who", "nobody")
	add(t, client, "payment", "who", "ann", "amount", value.Float(3))
	awaitFigures(t, q, core.QueryLive, `["ann" 2 5]`)
	delivered(t, client)
	if !slices.Contains(seen.all(), `["nobody" 1 2]`) {
		t.Errorf("the change was not shown at once: %q", seen.all())
	}
}

// Offline what was last known stays, with the node's own changes; what is known here is the
// answer before there is another.
func TestAggregatesOffline(t *testing.T) {
	server := cashier(t, core.Options{})
	for range 5 {
		add(t, server, "payment", "who", "ann", "amount", value.Float(1))
	}
	alone := open(t, core.Options{})
	if err := alone.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	q := summarize(t, anonymous(alone), "payment", "", []string{"who"}, n, ankql.Sum("s", "amount"))
	awaitFigures(t, q, core.QueryLocal, "")
	add(t, alone, "payment", "who", "bob", "amount", value.Float(2))
	awaitFigures(t, q, core.QueryLocal, `["bob" 1 2]`)
	link := local.Connect(server, alone)
	awaitFigures(t, q, core.QueryLive, `["ann" 5 5] ["bob" 1 2]`)
	delivered(t, alone)
	offline(t, alone, link)
	awaitFigures(t, q, core.QueryLocal, `["ann" 5 5] ["bob" 1 2]`)
	add(t, alone, "payment", "who", "ann", "amount", value.Float(1))
	add(t, server, "payment", "who", "cid", "amount", value.Float(7))
	awaitFigures(t, q, core.QueryLocal, `["ann" 6 6] ["bob" 1 2]`)
	local.Connect(server, alone)
	awaitFigures(t, q, core.QueryLive, `["ann" 6 6] ["bob" 1 2] ["cid" 1 7]`)
	if rows := must(anonymous(alone).Begin().Fetch(t.Context(), "payment", selection(t, ""))); len(rows) != 2 {
		t.Errorf("%d rows are here: only the own ones were to be", len(rows))
	}
}

// byName is an agent under which those of one name see the same.
type byName struct{ policy.Agent }

func (byName) Audience(p policy.Principal) (string, bool) { return p.Name, true }

// Each sees what may be seen, narrowed and judged row by row; who sees the same shares.
func TestAggregatesShowWhatMayBeSeen(t *testing.T) {
	server := durable(t, core.Options{Policy: byName{scoped()}})
	by(t, server, "ann", "mine")
	by(t, server, "bob", "theirs")
	secret := by(t, server, "ann", "secret")
	ann, _ := signedIn(t, server, "ann", core.Options{})
	again, _ := signedIn(t, server, "ann", core.Options{})
	bob, _ := signedIn(t, server, "bob", core.Options{})
	last := ankql.Max("last", "name")
	a, b := summarize(t, anonymous(ann), "album", "", nil, n, last), summarize(t, anonymous(bob), "album", "", nil, n, last)
	c := summarize(t, anonymous(again), "album", "", nil, n, last)
	all := summarize(t, server.Context(root), "album", "", nil, n, last)
	awaitFigures(t, a, core.QueryLive, `[1 "mine"]`)
	awaitFigures(t, c, core.QueryLive, `[1 "mine"]`)
	awaitFigures(t, b, core.QueryLive, `[1 "theirs"]`)
	awaitFigures(t, all, core.QueryLive, `[3 "theirs"]`)
	if got := server.Watches(); got != 3 {
		t.Errorf("three views of one aggregate cost %d watches", got)
	}
	change(t, server, secret, "name", "no more")
	awaitFigures(t, a, core.QueryLive, `[2 "no more"]`)
	awaitFigures(t, b, core.QueryLive, `[1 "theirs"]`)
	change(t, server, secret, "artist", "bob")
	awaitFigures(t, a, core.QueryLive, `[1 "mine"]`)
	awaitFigures(t, b, core.QueryLive, `[2 "theirs"]`)
}

func TestAggregatesAreBounded(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{Groups: 3, DistinctValues: 4}})
	client := connected(t, server, core.Options{Limits: core.Limits{Groups: 3}})
	q := summarize(t, anonymous(client), "album", "", []string{"year"}, n)
	d := summarize(t, anonymous(server), "album", "", nil, ankql.CountDistinct("d", "name"))
	for i := range 3 {
		create(t, server, fmt.Sprint(i), int64(i))
	}
	awaitFigures(t, q, core.QueryLive, "[0 1] [1 1] [2 1]")
	awaitFigures(t, d, core.QueryLive, "[3]")
	e := create(t, server, "3", 3)
	eventually(t, "too many groups", func() bool { return q.Status() == core.QueryError && core.KindOf(q.Err()) == core.KindLimit })
	awaitFigures(t, d, core.QueryLive, "[4]")
	create(t, server, "4", 0)
	eventually(t, "too many values", func() bool { return core.KindOf(d.Err()) == core.KindLimit && errors.Is(d.Err(), aggregate.ErrValues) })
	if _, err := anonymous(client).Aggregate(t.Context(), "album", aggregation(t, "", []string{"year"}, n)); core.KindOf(err) != core.KindLimit {
		t.Errorf("once: %v", err)
	}
	// What fits by now is answered to who asks anew.
	q.Close()
	edit(t, server, e, "year", value.Int(0))
	again := summarize(t, anonymous(client), "album", "", []string{"year"}, n)
	awaitFigures(t, again, core.QueryLive, "[0 3] [1 1] [2 1]")
}

// A node that cannot read goes on when it can.
func TestAggregatesSurviveStorage(t *testing.T) {
	var broken atomic.Bool
	engine := faulty.Wrap(memory.New(), failing(&broken, faulty.Scan, faulty.Fault{Before: errors.New("the disk is on fire")}))
	server := durable(t, core.Options{Engine: engine, Limits: core.Limits{Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}})
	for i := range 3 {
		create(t, server, "a", int64(i))
	}
	broken.Store(true)
	client := connected(t, server, core.Options{Limits: core.Limits{Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}})
	here := summarize(t, anonymous(server), "album", "", nil, n, ankql.Min("least", "year"))
	there := summarize(t, anonymous(client), "album", "", nil, n, ankql.Min("least", "year"))
	eventually(t, "an error here", func() bool { return here.Status() == core.QueryError })
	eventually(t, "an error there", func() bool { return there.Status() == core.QueryError })
	broken.Store(false)
	awaitFigures(t, here, core.QueryLive, "[3 0]")
	awaitFigures(t, there, core.QueryLive, "[3 0]")
}

// stopped is a connection that can be told to take nothing.
type stopped struct {
	connectors.Conn
	gate *gate
}

type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while frames may pass
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

func (c stopped) Send(ctx context.Context, frame []byte) error {
	c.gate.mu.Lock()
	open := c.gate.open
	c.gate.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.Conn.Send(ctx, frame)
}

// A peer that takes nothing for a while costs the names of the groups that changed, and then
// gets the newest in one go.
func TestSlowPeersGetTheNewestGroups(t *testing.T) {
	server := cashier(t, core.Options{})
	way, far := local.Pipe(local.Options{})
	g := newGate()
	go func() { _ = server.Serve(context.Background(), stopped{far, g}) }()
	t.Cleanup(func() { way.Close("the test is over") })
	w := &wire{t: t, conn: way, node: id.NodeID{ULID: id.New(nil)}}
	w.hello()
	w.send(&proto.Aggregate{Sub: 1, Collection: "payment", GroupBy: [][]string{{"who"}}, Columns: []proto.AggregateColumn{{}}})
	first := until[*proto.Groups](w)
	if !first.Reset || !first.Done || len(first.Groups) != 0 {
		t.Fatalf("%+v opens the answer", first)
	}
	g.shut()
	for i := range 300 {
		add(t, server, "payment", "who", string(rune('a'+i%3)))
	}
	g.lift()
	latest := map[string]uint64{}
	frames := 0
	for latest["c"] < 100 || latest["a"] < 100 || latest["b"] < 100 {
		m := until[*proto.Groups](w)
		frames++
		if m.Reset {
			t.Fatal("all groups are sent again")
		}
		for _, x := range m.Groups {
			who, _ := x.Key[0].AsString()
			latest[who] = x.Rows
		}
	}
	if frames > 3 {
		t.Errorf("300 transactions are told in %d frames to who was away meanwhile", frames)
	}
}

// What peers send that is none of their business is answered in words, and costs nobody.
func TestHostileAggregates(t *testing.T) {
	server := cashier(t, core.Options{Limits: core.Limits{Subscriptions: 3}})
	w, _ := greeted(t, server)
	columns := []proto.AggregateColumn{{}}
	for _, m := range []*proto.Aggregate{
		{Sub: 1, Collection: "payment"},
		{Sub: 1, Collection: "nothing", Columns: columns},
		{Sub: 1, Collection: "_ankurah_property", Columns: columns},
		{Sub: 1, Collection: "payment", Text: "who = ", Columns: columns},
		{Sub: 1, Collection: "payment", Text: "LIMIT 1", Columns: []proto.AggregateColumn{{Function: 1 << 40, Path: []string{"who"}}}},
		{Sub: 1, Collection: "payment", Columns: columns, GroupBy: [][]string{{}}},
		{Sub: 1, Collection: "payment", Columns: []proto.AggregateColumn{{Function: 1, Path: []string{"who"}}}},
	} {
		w.send(m)
		if reply := until[*proto.Reply](w); reply.Request != 1 || reply.Kind == 0 {
			t.Errorf("%+v is answered by %+v", m, reply)
		}
	}
	for sub := range uint64(4) {
		w.send(&proto.Aggregate{Sub: 10 + sub, Collection: "payment", Columns: columns})
	}
	if reply := until[*proto.Reply](w); core.Kind(reply.Kind) != core.KindLimit {
		t.Errorf("a fourth of three is answered by %+v", reply)
	}
	w.send(&proto.Aggregate{Sub: 10, Collection: "payment", Columns: columns}) // again
	for sub := range uint64(5) {
		w.send(&proto.Unsubscribe{Sub: 10 + sub})
		w.send(&proto.Unsubscribe{Sub: 10 + sub})
	}
	eventually(t, "nothing is watched", func() bool { return server.Watches() == 0 })
}

// What a durable node sends that is no answer ends the connection, and the next one is served.
func TestSessionsThatEndLeaveNoAggregates(t *testing.T) {
	server := cashier(t, core.Options{})
	for range 5 {
		w, _ := greeted(t, server)
		w.send(&proto.Aggregate{Sub: 1, Collection: "payment", Columns: []proto.AggregateColumn{{}}})
		until[*proto.Groups](w)
		w.send(&proto.Aggregate{Sub: 2, Collection: "payment", Text: "who = 'a'", Columns: []proto.AggregateColumn{{}}})
		w.conn.Close("gone")
	}
	eventually(t, "nothing is watched", func() bool { return server.Watches() == 0 })
}

func TestSubscribersOfAggregatesMayPanicStopAndClose(t *testing.T) {
	server := durable(t, core.Options{})
	q := summarize(t, anonymous(server), "album", "", nil, n)
	awaitFigures(t, q, core.QueryLive, "[0]")
	calls := 0
	stop := q.Subscribe(func(c *core.AggregateChange) {
		if calls++; calls > 1 {
			panic("not for me")
		}
	})
	var seen tape
	other := q.Subscribe(seen.take)
	create(t, server, "a", 1)
	stop()
	create(t, server, "b", 1)
	other()
	create(t, server, "c", 1)
	if got := seen.all(); !slices.Equal(got, []string{"[0]", "[1]", "[2]"}) || calls != 2 {
		t.Errorf("the one saw %q, the other was called %d times", got, calls)
	}
	q.Subscribe(func(c *core.AggregateChange) { q.Close() })
	create(t, server, "d", 1)
	if len(seen.all()) != 3 {
		t.Error("called after the end")
	}
}

// What is written while the rows are being counted, page by page, counts once.
func TestAggregatesOpenedAmongWritesCountOnce(t *testing.T) {
	server := cashier(t, core.Options{})
	const rows = 9000 // some pages
	var entities []id.EntityID
	several(t, server, func(tx *core.Tx) error {
		for i := range rows {
			e, err := tx.Create(t.Context(), "payment", with("who", string(rune('a'+i%3)), "amount", value.Float(float64(i)), "read", value.Bool(i%2 == 0)))
			if err != nil {
				return err
			}
			entities = append(entities, e)
		}
		return nil
	})
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 2 {
		writing.Go(func() {
			for i := w; ; i += 2 {
				select {
				case <-stop:
					return
				default:
				}
				e := entities[i*7919%rows]
				tx := anonymous(server).Begin()
				_ = tx.Set(t.Context(), "payment", e, with("amount", value.Float(float64(i)), "read", value.Bool(i%3 == 0)))
				if i%5 == 0 {
					_, _ = tx.Create(t.Context(), "payment", with("who", "d", "read", value.Bool(true)))
				}
				if _, err := tx.Commit(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	columns := []ankql.Aggregate{n, ankql.Sum("s", "amount"), ankql.Max("m", "amount"), ankql.CountOf("c", "amount")}
	var open []*core.LiveAggregate
	for range 8 {
		q := summarize(t, anonymous(server), "payment", fmt.Sprintf("read = TRUE AND amount != -%d", len(open)+1), []string{"who"}, columns...)
		all := summarize(t, anonymous(server), "payment", fmt.Sprintf("who != '%d'", len(open)), nil, n)
		open = append(open, q, all)
		eventually(t, "an answer", func() bool { return q.Status() == core.QueryLive && all.Status() == core.QueryLive })
	}
	close(stop)
	writing.Wait()
	for i, q := range open {
		again, err := anonymous(server).Aggregate(t.Context(), "payment", &ankql.Aggregation{
			Where:   ankql.And(q.Aggregation().Where, ankql.Not(&ankql.NullTest{Field: &ankql.Field{Path: ankql.Path{"id"}}})), // so that it is not shared
			GroupBy: q.Aggregation().GroupBy, Columns: q.Aggregation().Columns,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := figures(q.Groups()), figures(again); got != want {
			t.Errorf("%d: opened among writes\n%s, opened in peace\n%s", i, got, want)
		}
	}
}

// What a node has changed itself may be more than it keeps groups for: then that aggregate
// says so, and the connection and everything else go on.
func TestDifferencesAreBounded(t *testing.T) {
	server := cashier(t, core.Options{})
	client, link := linked(t, server, core.Options{Limits: core.Limits{Groups: 3}})
	if err := client.Register(t.Context(), payment); err != nil {
		t.Fatal(err)
	}
	few := summarize(t, anonymous(client), "payment", "", nil, n)
	many := summarize(t, anonymous(client), "payment", "", []string{"who"}, n)
	awaitFigures(t, many, core.QueryLive, "")
	awaitFigures(t, few, core.QueryLive, "[0]")
	offline(t, client, link)
	for i := range 5 {
		add(t, client, "payment", "who", fmt.Sprint(i))
	}
	if many.Status() != core.QueryError || core.KindOf(many.Err()) != core.KindLimit {
		t.Errorf("more groups than there is room for: %v, %v", many.Status(), many.Err())
	}
	awaitFigures(t, few, core.QueryLocal, "[5]")
	local.Connect(server, client)
	delivered(t, client)
	awaitFigures(t, few, core.QueryLive, "[5]")
	many.Close()
	again := summarize(t, anonymous(client), "payment", "", []string{"who"}, n)
	awaitFigures(t, again, core.QueryLive, `["0" 1] ["1" 1] ["2" 1] ["3" 1] ["4" 1]`)
	again.Close()
	few.Close()
	eventually(t, "nothing is watched", func() bool { return server.Watches() == 0 })
}

// slowToFail is an engine whose first scan fails once it is released.
type slowToFail struct {
	storage.Engine
	release chan struct{}
	scans   atomic.Int32
}

func (f *slowToFail) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	if collection == "album" && f.scans.Add(1) == 1 {
		<-f.release
		return nil, fmt.Errorf("%w: for a moment", storage.ErrUnavailable)
	}
	return f.Engine.Scan(ctx, collection, s, after, limit)
}

// TestAnsweredBeforeTheDiskFails: a client's own rows are of no concern once the durable node
// has answered, and neither is that they cannot be read.
func TestAnsweredBeforeTheDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{})
		create(t, server, "one", 1)
		engine := &slowToFail{Engine: memory.New(), release: make(chan struct{})}
		a := connected(t, server, core.Options{Engine: engine})
		q := summarize(t, anonymous(a), "album", "", nil, ankql.Count("n"))
		defer q.Close()
		synctest.Wait()
		if q.Status() != core.QueryLive {
			t.Errorf("answered: %s", q.Status())
		}
		close(engine.release)
		for range 3 {
			synctest.Wait()
			if q.Status() != core.QueryLive || figures(q.Groups()) != figures(aggregated(t, server)) {
				t.Errorf("%s, %v: %s", q.Status(), q.Err(), figures(q.Groups()))
			}
			time.Sleep(time.Minute)
		}
		create(t, a, "two", 2)
		synctest.Wait()
		if figures(q.Groups()) != figures(aggregated(t, server)) {
			t.Error(figures(q.Groups()))
		}
	})
}

func aggregated(t *testing.T, n *core.Node) []*core.AggregateGroup {
	t.Helper()
	groups, err := anonymous(n).Aggregate(t.Context(), "album", aggregation(t, "", nil, ankql.Count("n")))
	if err != nil {
		t.Fatal(err)
	}
	return groups
}
