package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/storage/memory"
)

func liveOn(t *testing.T, n *core.Node, text string) *core.LiveQuery {
	t.Helper()
	q := watch(t, n, "album", text)
	eventually(t, text+" is live", func() bool { return q.Status() == core.QueryLive })
	return q
}

func delivered(t *testing.T, n *core.Node) {
	t.Helper()
	eventually(t, "delivered", func() bool { return n.Status().Pending == 0 })
}

func offline(t *testing.T, n *core.Node, link *core.Link) {
	t.Helper()
	link.Close()
	eventually(t, "offline", func() bool { return n.Status().Connection == core.Offline })
}

// linked is connected, and returns the link as well.
func linked(t *testing.T, server *core.Node, opts core.Options) (*core.Node, *core.Link) {
	t.Helper()
	n := openAlbums(t, opts)
	link := local.Connect(server, n)
	waitLive(t, n)
	return n, link
}

// TestReadsAcrossNodes covers 248, 249, 256, 268 to 270.
func TestReadsAcrossNodes(t *testing.T) {
	server := durable(t, core.Options{})
	for i, name := range []string{"Walking on a Dream", "Ice on the Dune", "Two Vines", "Ask That God"} {
		create(t, server, name, int64(2008+i))
	}
	a, b := connected(t, server, core.Options{}), connected(t, server, core.Options{})
	fetch := func(n *core.Node, text string) []string {
		t.Helper()
		return rowNamesOf(must(anonymous(n).Fetch(t.Context(), "album", selection(t, text))))
	}
	if got := fetch(a, "name = 'Walking on a Dream'"); !slices.Equal(got, []string{"Walking on a Dream"}) {
		t.Errorf("248: %q", got)
	}
	own := create(t, a, "Own", 2030)
	delivered(t, a)
	for _, n := range []*core.Node{server, a, b} {
		if got := fetch(n, "year > 2020"); !slices.Equal(got, []string{"Own"}) {
			t.Errorf("249: %q", got)
		}
	}
	v, err := anonymous(b).Get(t.Context(), "album", own)
	if err != nil || text(v, "name") != "Own" {
		t.Fatalf("%v, %v", v, err)
	}
	put(t, server, "album", own, "name", "Changed")
	if text(v, "name") != "Own" {
		t.Error("256: a view that was fetched changes")
	}
	if got := fetch(b, "year = 2030"); !slices.Equal(got, []string{"Changed"}) {
		t.Errorf("268: %q", got)
	}
	if v, err := anonymous(b).Get(t.Context(), "album", own); err != nil || text(v, "name") != "Changed" {
		t.Errorf("269: %v, %v", v, err)
	}

	ghost := id.EntityID{ULID: id.New(nil)}
	lonely := openAlbums(t, core.Options{})
	for label, c := range map[string]struct {
		node *core.Node
		kind core.Kind
	}{"durable": {server, core.KindNotFound}, "connected": {a, core.KindNotFound}, "alone": {lonely, core.KindOffline}} {
		_, err := anonymous(c.node).Get(t.Context(), "album", ghost)
		var known *core.Error
		if core.KindOf(err) != c.kind || !errors.As(err, &known) || c.kind == core.KindNotFound && known.Entity != ghost {
			t.Errorf("270 %s: %v", label, err)
		}
	}
	if rows, err := anonymous(lonely).Fetch(t.Context(), "album", selection(t, "")); err != nil || len(rows) != 0 {
		t.Errorf("a fetch alone: %v, %v", rows, err)
	}
}

func rowNamesOf(rows []*core.View) (list []string) {
	for _, v := range rows {
		list = append(list, text(v, "name"))
	}
	return list
}

// TestChangesAcrossNodes covers 250, 251, 253, 254, 272.
func TestChangesAcrossNodes(t *testing.T) {
	server := durable(t, core.Options{})
	hidden := create(t, server, "hidden", 1)
	a, link := linked(t, server, core.Options{})
	b := connected(t, server, core.Options{})
	all := []*recorder{record(t, liveOn(t, server, "year > 10")), record(t, liveOn(t, a, "year > 10")), record(t, liveOn(t, b, "year > 10"))}
	each := func(sets ...string) {
		t.Helper()
		for _, r := range all {
			r.wait(sets...)
		}
	}
	e := create(t, b, "new", 20)
	delivered(t, b)
	all[0].wait("added new")
	all[1].wait("added new")
	eventually(t, "b's own is confirmed", func() bool { return len(all[2].all) == 2 })
	all[2].want("added new", "updated new") // the second: it is not pending any more
	put(t, server, "album", hidden, "year", 11)
	each("added hidden")
	put(t, server, "album", e, "name", "renamed")
	each("updated renamed")
	several(t, server, func(tx *core.Tx) error {
		return errors.Join(tx.Set(t.Context(), "album", e, with("year", 1)), tx.Set(t.Context(), "album", hidden, with("name", "seen")))
	})
	for _, r := range all {
		eventually(t, "one change set for the transaction", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.sets) == 1 })
		r.mu.Lock()
		if got := r.sets[0]; got != "removed renamed, updated seen" && got != "updated seen, removed renamed" {
			t.Errorf("told %q", got)
		}
		r.sets = nil
		r.mu.Unlock()
	}

	// 251, 254: a second query does not disturb the first.
	second := record(t, liveOn(t, a, "year > 5"))
	all[1].want()
	put(t, server, "album", hidden, "year", 6)
	each("removed seen")
	second.wait("updated seen")
	put(t, server, "album", hidden, "year", 12)
	each("added seen")

	// 272: after a reconnect nothing is told twice.
	second.wait("updated seen")
	offline(t, a, link)
	put(t, server, "album", e, "year", 30)
	local.Connect(server, a)
	all[1].wait("added renamed")
	second.wait("added renamed")
	put(t, server, "album", e, "year", 31)
	all[1].wait("updated renamed")
	second.wait("updated renamed")
}

// TestConcurrentEditsConverge covers 261, 263 to 265.
func TestConcurrentEditsConverge(t *testing.T) {
	server := durable(t, core.Options{})
	e := create(t, server, "start", 1)
	var nodes []*core.Node
	var links []*core.Link
	for range 3 {
		n, link := linked(t, server, core.Options{})
		liveOn(t, n, "")
		nodes, links = append(nodes, n), append(links, link)
	}
	// 265: one of them has seen little of it.
	offline(t, nodes[2], links[2])
	for i := range 20 {
		put(t, server, "album", e, "year", i+1)
	}
	put(t, nodes[2], "album", e, "artist", "from the past")
	for i := range 2 {
		offline(t, nodes[i], links[i])
	}
	put(t, nodes[0], "album", e, "name", "zero")
	put(t, nodes[1], "album", e, "year", 77)
	for _, n := range nodes {
		local.Connect(server, n)
	}
	for _, n := range nodes {
		delivered(t, n)
	}
	want := must(anonymous(server).Get(t.Context(), "album", e))
	if text(want, "name") != "zero" || text(want, "year") != "77" || text(want, "artist") != "from the past" {
		t.Errorf("%v", want.State())
	}
	for _, n := range nodes {
		eventually(t, "equal", func() bool { return states(t, n, "album") == states(t, server, "album") })
	}

	// 263: races without order.
	var wg sync.WaitGroup
	for i, n := range append(nodes, server) {
		wg.Go(func() {
			for k := range 20 {
				put(t, n, "album", e, "name", fmt.Sprint(i, " ", k), "year", k)
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		delivered(t, n)
	}
	for _, n := range nodes {
		eventually(t, "equal after races", func() bool { return states(t, n, "album") == states(t, server, "album") })
	}
}

// TestLaterWriteWins is guarantee 2: a write made after seeing another beats it, wherever
// either was made and however the clocks stand.
func TestLaterWriteWins(t *testing.T) {
	server := durable(t, core.Options{})
	a, b := connected(t, server, core.Options{}), connected(t, server, core.Options{})
	qa, qb := liveOn(t, a, ""), liveOn(t, b, "")
	e := create(t, a, "0", 0)
	for i := range 10 {
		n, here, there := a, qa, qb
		if i%2 == 0 {
			n, here, there = b, qb, qa
		}
		shows(t, here, fmt.Sprint(i)+" ")
		put(t, n, "album", e, "name", fmt.Sprint(i+1))
		shows(t, there, fmt.Sprint(i+1)+" ")
	}
}

// TestDeletionAcrossNodes is 99 between nodes: deletion and restoring reach everybody, a
// concurrent edit does not bring back what was deleted, whichever arrives first.
func TestDeletionAcrossNodes(t *testing.T) {
	server := durable(t, core.Options{})
	a, link := linked(t, server, core.Options{})
	b := connected(t, server, core.Options{})
	one, two := create(t, server, "one", 1), create(t, server, "two", 2)
	qa, qb, qs := liveOn(t, a, "ORDER BY year"), liveOn(t, b, "ORDER BY year"), liveOn(t, server, "ORDER BY year")
	shows(t, qa, "one two ")
	offline(t, a, link)
	put(t, a, "album", one, "name", "edited offline") // concurrent with b's deletion
	remove(t, a, "album", two)                        // concurrent with b's edit
	shows(t, qa, "edited offline ")
	synced(t, remove(t, b, "album", one))
	synced(t, put(t, b, "album", two, "name", "edited"))
	local.Connect(server, a)
	delivered(t, a)
	for _, q := range []*core.LiveQuery{qa, qb, qs} {
		shows(t, q, "")
	}
	for _, n := range []*core.Node{a, b, server} {
		for _, e := range []id.EntityID{one, two} {
			if _, err := anonymous(n).Get(t.Context(), "album", e); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("get: %v", err)
			}
		}
	}
	synced(t, restore(t, b, "album", one))
	for _, q := range []*core.LiveQuery{qa, qb, qs} {
		shows(t, q, "edited offline ")
	}
	// A node that was away for both sees them restored.
	c, clink := linked(t, server, core.Options{})
	qc := liveOn(t, c, "ORDER BY year")
	offline(t, c, clink)
	remove(t, server, "album", one)
	restore(t, server, "album", two)
	local.Connect(server, c)
	for _, q := range []*core.LiveQuery{qa, qb, qs, qc} {
		shows(t, q, "edited ")
	}
}

// TestOfflineRowsLeave is 267: a row that was changed while a client was away leaves its
// results, also where the client holds nothing that says so.
func TestOfflineRowsLeave(t *testing.T) {
	server := durable(t, core.Options{})
	var rows []id.EntityID
	for i := range 6 {
		rows = append(rows, create(t, server, fmt.Sprint(i), int64(i)))
	}
	disk := memory.NewDisk()
	a := connected(t, server, core.Options{Engine: disk.Open()})
	q := liveOn(t, a, "year < 100")
	if len(q.Rows()) != 6 {
		t.Fatalf("%d rows", len(q.Rows()))
	}
	a.Close()
	put(t, server, "album", rows[0], "year", 1000)
	remove(t, server, "album", rows[1])
	put(t, server, "album", rows[2], "name", "two")

	a = open(t, core.Options{Engine: disk.Open()})
	known := watch(t, a, "album", "year < 100 ORDER BY year")
	other := watch(t, a, "album", "year <= 99 ORDER BY year") // never asked for before
	window := watch(t, a, "album", "ORDER BY year LIMIT 2")
	if rowNames(known, "name") != "0 1 2 3 4 5" {
		t.Errorf("offline it shows %q", rowNames(known, "name"))
	}
	local.Connect(server, a)
	shows(t, known, "two 3 4 5 ")
	shows(t, other, "two 3 4 5 ")
	shows(t, window, "two 3 ")
	eventually(t, "live", func() bool { return known.Status() == core.QueryLive })
	asStored(t, a, disk)
}

// TestResumeBeyondTheFeedLimit: a client that was away for too long is compared row by row.
func TestResumeBeyondTheFeedLimit(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{ResumeEntries: 5}})
	var rows []id.EntityID
	for i := range 10 {
		rows = append(rows, create(t, server, fmt.Sprint(i), int64(i)))
	}
	a, link := linked(t, server, core.Options{})
	q := liveOn(t, a, "ORDER BY year")
	r := record(t, q)
	offline(t, a, link)
	for i := range 20 {
		put(t, server, "album", rows[3], "name", fmt.Sprint("x", i))
	}
	remove(t, server, "album", rows[0])
	put(t, server, "album", rows[9], "year", -1)
	local.Connect(server, a)
	shows(t, q, "9 1 2 x19 4 5 6 7 8 ")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	if got := r.shown(); got != "9 1 2 x19 4 5 6 7 8" {
		t.Errorf("by change sets %q", got)
	}
}

// TestOfflineOrder is 279: what was committed offline, over restarts, is delivered once, in
// order, with the ids that it had, as whole transactions.
func TestOfflineOrder(t *testing.T) {
	server := durable(t, core.Options{})
	told := record(t, liveOn(t, server, ""))
	disk := memory.NewDisk()
	a := openAlbums(t, core.Options{Engine: disk.Open()})
	var created []id.EntityID
	var want []string
	for i := range 100 { // more than are sent ahead
		several(t, a, func(tx *core.Tx) error {
			e, err := tx.Create(t.Context(), "album", with("name", fmt.Sprint(i), "year", i))
			created = append(created, e)
			if i%10 == 9 {
				return errors.Join(err, tx.Set(t.Context(), "album", created[0], with("artist", fmt.Sprint(i))))
			}
			return err
		})
		if i%40 == 39 {
			a.Close()
			a = open(t, core.Options{Engine: disk.Open()})
		}
		set := fmt.Sprint("added ", i)
		if i%10 == 9 {
			set += ", updated 0"
		}
		want = append(want, set)
	}
	if p := a.Status().Pending; p != 100 {
		t.Fatalf("%d pending", p)
	}
	link := local.Connect(server, a)
	delivered(t, a)
	offline(t, a, link)
	local.Connect(server, a)
	waitLive(t, a)
	told.mu.Lock()
	for i, got := range told.sets {
		if i >= len(want) || got != want[i] && got != swapped(want[i]) {
			t.Fatalf("change set %d is %q, want %q", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(told.sets) != len(want) {
		t.Errorf("%d change sets, want %d", len(told.sets), len(want))
	}
	told.mu.Unlock()
	for _, e := range created {
		if _, err := anonymous(server).Get(t.Context(), "album", e); err != nil {
			t.Error(err)
		}
	}
}

func swapped(set string) string {
	parts := strings.Split(set, ", ")
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// TestReadYourWrites is law L3 and guarantee 5.2: what a node has committed it shows, also
// while the answer is under way and whatever else arrives.
func TestReadYourWrites(t *testing.T) {
	server := durable(t, core.Options{})
	a, b := connected(t, server, core.Options{}), connected(t, server, core.Options{})
	q := liveOn(t, a, "ORDER BY year")
	e := create(t, a, "0", 1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := anonymous(b).Get(t.Context(), "album", e); err == nil {
				put(t, b, "album", e, "artist", fmt.Sprint(i))
			}
		}
	})
	for i := range 200 {
		want := fmt.Sprint("w", i)
		put(t, a, "album", e, "name", want)
		if got := rowNames(q, "name"); got != want {
			t.Errorf("committed %q, shows %q", want, got)
		}
		if got := name(t, a, "album", e); got != want {
			t.Errorf("committed %q, gets %q", want, got)
		}
	}
	close(stop)
	wg.Wait()
	delivered(t, a)
	delivered(t, b)
	eventually(t, "equal", func() bool {
		return states(t, a, "album") == states(t, server, "album") && rowNames(q, "name") == "w199"
	})
}

// TestRefusedInTheMiddle is 280: of several transactions on one entity the refused one is
// taken back, what came later stays, everywhere the same.
func TestRefusedInTheMiddle(t *testing.T) {
	server := durable(t, core.Options{Policy: refuser{policy.Permissive()}})
	a, link := linked(t, server, core.Options{})
	b := connected(t, server, core.Options{})
	q := liveOn(t, a, "ORDER BY year")
	r := record(t, q)
	e, other := create(t, a, "fine", 1), create(t, a, "other", 2)
	delivered(t, a)
	offline(t, a, link)
	put(t, a, "album", e, "year", 10)
	several(t, a, func(tx *core.Tx) error { // refused whole
		return errors.Join(tx.Set(t.Context(), "album", e, with("name", "forbidden")), tx.Set(t.Context(), "album", other, with("year", 20)))
	})
	put(t, a, "album", e, "artist", "kept")
	put(t, a, "album", other, "artist", "kept too")
	put(t, a, "album", e, "year", 11)
	put(t, server, "album", other, "name", "renamed meanwhile")
	local.Connect(server, a)
	delivered(t, a)
	shows(t, q, "renamed meanwhile fine ")
	v, w := must(anonymous(server).Get(t.Context(), "album", e)), must(anonymous(server).Get(t.Context(), "album", other))
	if text(v, "year") != "11" || text(v, "artist") != "kept" || text(w, "year") != "2" || text(w, "artist") != "kept too" {
		t.Errorf("the server has %v and %v", v.State(), w.State())
	}
	liveOn(t, b, "")
	for _, n := range []*core.Node{a, b} {
		eventually(t, "equal", func() bool { return states(t, n, "album") == states(t, server, "album") })
	}
	if r.shown() != "renamed meanwhile fine" {
		t.Errorf("by change sets %q", r.shown())
	}
	if list := must(a.Rejections(t.Context())); len(list) != 1 {
		t.Errorf("%d rejections", len(list))
	}
}

// TestManyQueriesStayTrue: several queries of different shape on one client stay equal to the
// durable node's answers under changes from all sides.
func TestManyQueriesStayTrue(t *testing.T) {
	server := durable(t, core.Options{})
	a, b := connected(t, server, core.Options{}), connected(t, server, core.Options{})
	texts := []string{"", "year > 50", "ORDER BY year LIMIT 3", "ORDER BY year DESC LIMIT 4", "artist = 'x' ORDER BY name LIMIT 2", "artist IS NULL", "year BETWEEN 20 AND 60 ORDER BY year DESC"}
	var queries []*core.LiveQuery
	for _, text := range texts {
		queries = append(queries, liveOn(t, a, text))
	}
	var wg sync.WaitGroup
	for w, n := range []*core.Node{server, a, b} {
		wg.Go(func() {
			var own []id.EntityID
			for i := range 60 {
				switch {
				case i%3 == 0 || len(own) == 0:
					own = append(own, add(t, n, "album", "name", fmt.Sprint(w, "-", i), "year", (i*37+w*11)%100))
				case i%7 == 0:
					remove(t, n, "album", own[len(own)-1])
					own = own[:len(own)-1]
				case i%2 == 0:
					put(t, n, "album", own[i%len(own)], "artist", "x")
				default:
					put(t, n, "album", own[i%len(own)], "year", (i*53)%100)
				}
			}
		})
	}
	wg.Wait()
	delivered(t, a)
	delivered(t, b)
	for i, q := range queries {
		eventually(t, texts[i], func() bool {
			want := must(anonymous(server).Fetch(t.Context(), "album", selection(t, texts[i])))
			return q.Status() == core.QueryLive && slices.Equal(rowIDs(q.Rows()), rowIDs(want))
		})
	}
}
