package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

var album = &schema.Model{Collection: "album", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "artist", Type: schema.TypeString, Optional: true},
	{Name: "year", Type: schema.TypeInt, Optional: true},
}}

func durable(t *testing.T, opts core.Options) *core.Node {
	t.Helper()
	if opts.Engine == nil {
		opts.Engine = memory.New()
	}
	opts.Durable = true
	n := open(t, opts)
	if err := n.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Register(t.Context(), album); err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t *testing.T, opts core.Options) *core.Node {
	t.Helper()
	if opts.Engine == nil {
		opts.Engine = memory.New()
	}
	opts.Listener.Failed = func(op string, err error) { t.Logf("listener: %s: %v", op, err) }
	n, err := core.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// openAlbums is open, of a node that knows albums.
func openAlbums(t *testing.T, opts core.Options) *core.Node {
	t.Helper()
	n := open(t, opts)
	if err := n.Register(t.Context(), album); err != nil {
		t.Fatal(err)
	}
	return n
}

func connected(t *testing.T, server *core.Node, opts core.Options) *core.Node {
	t.Helper()
	n := openAlbums(t, opts)
	local.Connect(server, n)
	waitLive(t, n)
	return n
}

func waitLive(t *testing.T, n *core.Node) {
	t.Helper()
	eventually(t, "live", func() bool { return n.Status().Connection == core.Live })
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func anonymous(n *core.Node) *core.Context { return n.Context(policy.Principal{}) }

func fields(name string, year int64) []proto.Field {
	return []proto.Field{{Name: "name", Value: value.String(name)}, {Name: "year", Value: value.Int(year)}}
}

func create(t *testing.T, n *core.Node, name string, year int64) id.EntityID {
	t.Helper()
	tx := anonymous(n).Begin()
	e, err := tx.Create(t.Context(), "album", fields(name, year))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	return e
}

func edit(t *testing.T, n *core.Node, e id.EntityID, name string, v value.Value) *core.Receipt {
	t.Helper()
	tx := anonymous(n).Begin()
	if err := tx.Set(t.Context(), "album", e, []proto.Field{{Name: name, Value: v}}); err != nil {
		t.Fatal(err)
	}
	return commit(t, tx)
}

func commit(t *testing.T, tx *core.Tx) *core.Receipt {
	t.Helper()
	r, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func query(t *testing.T, n *core.Node, text string, params ...any) *core.LiveQuery {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err != nil {
		t.Fatal(err)
	}
	q, err := anonymous(n).Query("album", s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func names(q *core.LiveQuery) string {
	text := ""
	for _, v := range q.Rows() {
		s, _ := v.Field("name").AsString()
		text += s + " "
	}
	return text
}

func shows(t *testing.T, q *core.LiveQuery, want string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for names(q) != want {
		if time.Now().After(deadline) {
			t.Fatalf("shows %q (%v, %v), want %q", names(q), q.Status(), q.Err(), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func synced(t *testing.T, r *core.Receipt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Synced(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestTwoNodes is the program of the README: what one node commits, the other shows.
func TestTwoNodes(t *testing.T) {
	server := durable(t, core.Options{})
	a := connected(t, server, core.Options{})
	b := connected(t, server, core.Options{})
	qa, qb := query(t, a, "year > 1990 ORDER BY name"), query(t, b, "year > 1990 ORDER BY name")
	eventually(t, "live", func() bool { return qa.Status() == core.QueryLive && qb.Status() == core.QueryLive })

	muse := create(t, server, "Origin", 2001)
	shows(t, qa, "Origin ")
	shows(t, qb, "Origin ")

	tx := anonymous(a).Begin()
	if _, err := tx.Create(t.Context(), "album", fields("Absolution", 2003)); err != nil {
		t.Fatal(err)
	}
	receipt := commit(t, tx)
	if got := names(qa); got != "Absolution Origin " {
		t.Fatalf("read your writes: %q", got)
	}
	synced(t, receipt)
	shows(t, qb, "Absolution Origin ")

	synced(t, edit(t, b, muse, "year", value.Int(1980)))
	shows(t, qa, "Absolution ")
	shows(t, qb, "Absolution ")

	tx = anonymous(a).Begin()
	for _, v := range qa.Rows() {
		if err := tx.Delete(t.Context(), "album", v.ID()); err != nil {
			t.Fatal(err)
		}
	}
	synced(t, commit(t, tx))
	shows(t, qb, "")
	for _, n := range []*core.Node{a, b} {
		if p := n.Status().Pending; p != 0 {
			t.Fatalf("%d pending", p)
		}
	}
}

type refuser struct{ policy.Agent }

func (refuser) Write(_ policy.Principal, w policy.Write) error {
	if name, _ := w.After.Field("name").AsString(); name == "forbidden" {
		return policy.Denied("that name is taken")
	}
	return nil
}

// TestRefusalRollsBack: a refused write disappears, says why, takes what depends on it
// along, and spares what only came later.
func TestRefusalRollsBack(t *testing.T) {
	server := durable(t, core.Options{Policy: refuser{policy.Permissive()}})
	a := openAlbums(t, core.Options{})
	link := local.Connect(server, a)
	q := query(t, a, "ORDER BY name")
	e := create(t, a, "fine", 2000)
	eventually(t, "synced", func() bool { return a.Status().Pending == 0 })
	// Offline, so that all of it is pending when the first refusal comes.
	link.Close()
	eventually(t, "offline", func() bool { return a.Status().Connection == core.Offline })

	bad := edit(t, a, e, "name", value.String("forbidden"))
	later := edit(t, a, e, "year", value.Int(2001))
	tx := anonymous(a).Begin()
	doomed, _ := tx.Create(t.Context(), "album", fields("forbidden", 1))
	refused := commit(t, tx)
	dependent := edit(t, a, doomed, "year", value.Int(2))
	shows(t, q, "forbidden forbidden ")
	local.Connect(server, a)
	err := bad.Synced(t.Context())
	if core.KindOf(err) != core.KindDenied {
		t.Fatalf("refusal: %v", err)
	}
	synced(t, later)
	eventually(t, "settled", func() bool { return a.Status().Pending == 0 })
	shows(t, q, "fine ")
	if y, _ := q.Rows()[0].Field("year").AsInt(); y != 2001 {
		t.Fatalf("year %d", y)
	}

	if err := refused.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
		t.Fatalf("creation: %v", err)
	}
	if err := dependent.Synced(t.Context()); core.KindOf(err) != core.KindDependsOnRefused {
		t.Fatalf("dependent: %v", err)
	}
	shows(t, q, "fine ")
	list, err := a.Rejections(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("rejections %v %v", list, err)
	}
}

// TestOfflineSurvivesRestart: what was committed offline is shown after a restart, and
// delivered once.
func TestOfflineSurvivesRestart(t *testing.T) {
	server := durable(t, core.Options{})
	engine := memory.New()
	a := connected(t, server, core.Options{Engine: keepOpen{engine}})
	e := create(t, a, "one", 2000)
	eventually(t, "synced", func() bool { return a.Status().Pending == 0 })
	a.Close()

	a = open(t, core.Options{Engine: keepOpen{engine}})
	if err := a.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	edit(t, a, e, "name", value.String("uno"))
	create(t, a, "two", 2001)
	q := query(t, a, "ORDER BY year")
	shows(t, q, "uno two ")
	if q.Status() != core.QueryLocal {
		t.Fatalf("status %v", q.Status())
	}
	a.Close()

	a = open(t, core.Options{Engine: keepOpen{engine}})
	if p := a.Status().Pending; p != 2 {
		t.Fatalf("%d pending", p)
	}
	q = query(t, a, "ORDER BY year")
	shows(t, q, "uno two ")
	local.Connect(server, a)
	eventually(t, "synced", func() bool { return a.Status().Pending == 0 })
	shows(t, query(t, server, "ORDER BY year"), "uno two ")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
}

type keepOpen struct{ storage.Engine }

func (keepOpen) Close() error { return nil }

// TestResume: a node that was away is brought up to date, also on rows that left.
func TestResume(t *testing.T) {
	server := durable(t, core.Options{})
	var ids []id.EntityID
	for i := range 20 {
		ids = append(ids, create(t, server, fmt.Sprintf("%02d", i), int64(2000+i)))
	}
	a := open(t, core.Options{})
	link := local.Connect(server, a)
	waitLive(t, a)
	eventually(t, "model", func() bool { _, ok := a.Model("album"); return ok })
	q, w := query(t, a, "year >= 2010"), query(t, a, "year >= 2000 ORDER BY year LIMIT 3")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive && w.Status() == core.QueryLive })
	if len(q.Rows()) != 10 {
		t.Fatalf("%d rows", len(q.Rows()))
	}
	link.Close()
	eventually(t, "offline", func() bool { return a.Status().Connection == core.Offline })
	for i := range 20 {
		if i%2 == 0 {
			edit(t, server, ids[i], "year", value.Int(int64(1900+i)))
		}
	}
	local.Connect(server, a)
	shows(t, w, "01 03 05 ")
	eventually(t, "five rows", func() bool { return len(q.Rows()) == 5 && q.Status() == core.QueryLive })
}

// TestRelink: a link that is closed and another one opened at once end connected, however
// the two overlap.
func TestRelink(t *testing.T) {
	server := durable(t, core.Options{})
	n := open(t, core.Options{Limits: core.Limits{Backoff: time.Millisecond}})
	link := local.Connect(server, n)
	for range 50 {
		link.Close()
		link = local.Connect(server, n)
	}
	waitLive(t, n)
	for range 20 { // and stay so
		time.Sleep(time.Millisecond)
		waitLive(t, n)
	}
	link.Close()
	eventually(t, "offline", func() bool { return n.Status().Connection == core.Offline })
	if err := n.Status().LastError; err != nil {
		t.Fatalf("closed on purpose: %v", err)
	}
}

// TestAcknowledgementReadsTheSame: what an acknowledgement does to a row is told apart from
// what changes how it reads.
func TestAcknowledgementReadsTheSame(t *testing.T) {
	server := durable(t, core.Options{})
	n := connected(t, server, core.Options{})
	for _, text := range []string{"", "ORDER BY name LIMIT 5"} {
		q := query(t, n, text)
		eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
		told := make(chan core.Change, 16)
		stop := q.Subscribe(func(set *core.ChangeSet) {
			if len(set.Changes) == 1 && set.Changes[0].Kind != core.ChangeInitial {
				told <- set.Changes[0]
			}
		})
		e := create(t, n, "zz", 2000)
		if c := <-told; c.Kind != core.ChangeAdded || !c.View.Pending() || c.Same {
			t.Fatalf("%q: committed: %+v", text, c)
		}
		if c := <-told; c.Kind != core.ChangeUpdated || c.View.Pending() || !c.Same {
			t.Fatalf("%q: acknowledged: %+v", text, c)
		}
		edit(t, n, e, "name", value.String("zzz"))
		if c := <-told; c.Kind != core.ChangeUpdated || c.Same {
			t.Fatalf("%q: edited: %+v", text, c)
		}
		stop()
		eventually(t, "synced", func() bool { return n.Status().Pending == 0 })
	}
}
