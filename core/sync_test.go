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
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// rowStates returns a query's rows with their states.
func rowStates(q *core.LiveQuery) string {
	var list []string
	for _, v := range q.Rows() {
		list = append(list, text(v, "name")+" "+v.Sync().String())
	}
	return strings.Join(list, ", ")
}

// gated is an agent that lets writes wait until it is opened, and denies names that begin with
// "bad".
type gated struct {
	*scripted
	open chan struct{}
}

func newGated() *gated {
	g := &gated{scripted: &scripted{Agent: policy.Permissive()}, open: make(chan struct{})}
	g.write = func(_ policy.Principal, w policy.Write) error {
		<-g.open
		if name, _ := w.After.Field("name").AsString(); strings.HasPrefix(name, "bad") {
			return policy.Denied("bad")
		}
		return nil
	}
	return g
}

// TestStatesOfRows: a row is pending until the durable node has acknowledged what was done to
// it, and refused from the refusal on until that is dismissed or tried again; selections that
// ask for it change in the same moment, and others are told of nothing but that.
func TestStatesOfRows(t *testing.T) {
	agent := newGated()
	server := durable(t, core.Options{Policy: agent})
	a := connected(t, server, core.Options{})
	all := record(t, liveOn(t, a, "ORDER BY name"))
	pending := record(t, liveOn(t, a, "$sync = 'pending' ORDER BY name"))
	refused := record(t, liveOn(t, a, "$sync = 'refused'"))
	settled := record(t, liveOn(t, a, "NOT ($sync = 'pending') AND year > 0"))
	check := func(what string, sets ...[]string) {
		t.Helper()
		for i, r := range []*recorder{all, pending, refused, settled} {
			if t.Helper(); sets[i] == nil {
				r.want()
			} else {
				r.wait(sets[i]...)
			}
		}
		if t.Failed() {
			t.Fatal(what)
		}
	}
	e := create(t, a, "one", 1)
	check("created", []string{"added one"}, []string{"added one"}, nil, nil)
	close(agent.open)
	delivered(t, a)
	check("acknowledged", []string{"updated one"}, []string{"removed one"}, nil, []string{"added one"})

	bad := put(t, a, "album", e, "name", "bad")
	if err := bad.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
		t.Fatal(err)
	}
	check("refused", []string{"updated bad", "updated one"}, []string{"added bad", "removed bad"}, []string{"added one"},
		[]string{"removed one", "added one"})
	put(t, server, "album", e, "year", 7)
	check("edited by others", []string{"updated one"}, nil, []string{"updated one"}, []string{"updated one"})
	if err := a.DismissRejection(t.Context(), bad.Transaction()); err != nil {
		t.Fatal(err)
	}
	check("dismissed", []string{"updated one"}, nil, []string{"removed one"}, []string{"updated one"})
	for i, r := range []*recorder{all, settled} {
		var last core.Change // beside it there are sets that tell of the status alone
		for _, set := range r.all {
			if len(set.Changes) > 0 {
				last = set.Changes[0]
			}
		}
		if !last.Same || last.View.Sync() != core.Synced {
			t.Errorf("%d: dismissing read otherwise: %+v", i, last)
		}
	}
}

// TestStateWaitsForTheAcknowledgement: that others see a change already does not make it
// acknowledged, and one of two that wait leaves the row pending.
func TestStateWaitsForTheAcknowledgement(t *testing.T) {
	server := durable(t, core.Options{})
	a, link := linked(t, server, core.Options{})
	q := liveOn(t, a, "ORDER BY name")
	e := create(t, a, "one", 1)
	delivered(t, a)
	offline(t, a, link)
	first, second := put(t, a, "album", e, "year", 2), put(t, a, "album", e, "year", 3)
	other := create(t, a, "two", 2)
	if got := rowStates(q); got != "one pending, two pending" {
		t.Fatal(got)
	}
	tx := anonymous(a).Begin()
	defer tx.Rollback()
	if err := tx.Set(t.Context(), "album", other, with("name", "mine")); err != nil {
		t.Fatal(err)
	}
	if v, err := tx.Get(t.Context(), "album", other); err != nil || v.Sync() != core.Pending {
		t.Errorf("in a transaction: %v, %v", v, err)
	}
	seen := make(chan string, 100)
	defer q.Subscribe(func(set *core.ChangeSet) { seen <- rowStates(q) })()
	local.Connect(server, a)
	synced(t, first)
	synced(t, second)
	eventually(t, "all is acknowledged", func() bool { return rowStates(q) == "one synced, two synced" })
	for len(seen) > 0 {
		if s := <-seen; strings.HasPrefix(s, "one synced") && a.Status().Pending > 1 {
			t.Errorf("%s while its second change waits", s)
		}
	}
	if v, err := anonymous(server).Get(t.Context(), "album", e); err != nil || v.Sync() != core.Synced {
		t.Errorf("on a durable node: %v, %v", v, err)
	}
	for text, want := range map[string]string{"$sync = 'synced' ORDER BY $sync, name LIMIT 1": "one synced", "$sync != 'synced'": ""} {
		if got := rowStates(watch(t, server, "album", text)); got != want {
			t.Errorf("%s on a durable node: %q", text, got)
		}
	}
}

// TestStatesSurviveARestart: what is pending and refused is known from storage, and a refused
// creation has no row but comes back with its id.
func TestStatesSurviveARestart(t *testing.T) {
	agent := newGated()
	close(agent.open)
	server := durable(t, core.Options{Policy: agent})
	disk := memory.NewDisk()
	a, link := linked(t, server, core.Options{Engine: disk.Open()})
	e := create(t, a, "one", 1)
	delivered(t, a)
	if err := put(t, a, "album", e, "name", "bad").Synced(t.Context()); err == nil {
		t.Fatal("it was accepted")
	}
	tx := anonymous(a).Begin()
	made, err := tx.Create(t.Context(), "album", with("name", "bad too"))
	if err != nil {
		t.Fatal(err)
	}
	gone := commit(t, tx)
	if err := gone.Synced(t.Context()); err == nil {
		t.Fatal("it was accepted")
	}
	offline(t, a, link)
	create(t, a, "two", 2)
	reopen := func() *core.Node {
		a.Close()
		return open(t, core.Options{Engine: disk.Open()})
	}
	a = reopen()
	if got := rowStates(watch(t, a, "album", "ORDER BY name")); got != "one refused, two pending" {
		t.Fatal(got)
	}
	for text, want := range map[string]string{"$sync = 'refused'": "one refused", "$sync IN ('pending', 'refused') ORDER BY name DESC LIMIT 1": "two pending", "$sync = 'synced'": "",
		"ORDER BY $sync DESC": "one refused, two pending", "ORDER BY $sync LIMIT 1": "two pending", "$sync = 'pending' AND year = 2": "two pending", "$sync = name": ""} {
		if got := rowStates(watch(t, a, "album", text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if _, err := a.RetryRejection(t.Context(), gone.Transaction()); err != nil {
		t.Fatal(err)
	}
	if v, err := anonymous(a).Get(t.Context(), "album", made); err != nil || v.Sync() != core.Pending {
		t.Errorf("tried again: %v, %v", v, err)
	}
	if err := a.DismissRejections(t.Context()); err != nil {
		t.Fatal(err)
	}
	a = reopen()
	if got := rowStates(watch(t, a, "album", "ORDER BY name")); got != "bad too pending, one synced, two pending" {
		t.Error(got)
	}
	if list, err := a.Rejections(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestReplacedRejection: a transaction that is made in the place of a refused one takes its
// refusal along, or does nothing at all.
func TestReplacedRejection(t *testing.T) {
	agent := newGated()
	close(agent.open)
	server := durable(t, core.Options{Policy: agent})
	a := connected(t, server, core.Options{})
	e := create(t, a, "one", 1)
	refuse := func() id.TransactionID {
		r := put(t, a, "album", e, "name", "bad")
		if err := r.Synced(t.Context()); err == nil {
			t.Fatal("it was accepted")
		}
		return r.Transaction()
	}
	list := func() int {
		got, err := a.Rejections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	refused := refuse()
	q := liveOn(t, a, "")
	r := record(t, q)
	replace := func(pairs ...any) (*core.Receipt, error) {
		tx := anonymous(a).Begin()
		tx.Replaces(refused)
		if len(pairs) > 0 {
			if err := tx.Set(t.Context(), "album", e, with(pairs...)); err != nil {
				t.Fatal(err)
			}
		}
		return tx.Commit(t.Context())
	}
	receipt, err := replace("name", "good")
	if err != nil || list() != 0 {
		t.Fatalf("%v, %d left", err, list())
	}
	synced(t, receipt)
	eventually(t, "acknowledged", func() bool { return rowStates(q) == "good synced" })
	r.want("updated good", "updated good")
	if _, err := replace("name", "twice"); core.KindOf(err) != core.KindNotFound {
		t.Errorf("a second time: %v", err)
	}
	if got := rowStates(q); got != "good synced" {
		t.Errorf("nothing was to be done, and there is %s", got)
	}
	refused = refuse()
	if receipt, err = replace(); err != nil || receipt.Synced(t.Context()) != nil || list() != 0 {
		t.Errorf("by nothing: %v, %d left", err, list())
	}
	if got := rowStates(q); got != "good synced" {
		t.Error(got)
	}
	tx := anonymous(server).Begin()
	tx.Replaces(refused)
	if _, err := tx.Commit(t.Context()); core.KindOf(err) != core.KindNotFound {
		t.Errorf("on a durable node: %v", err)
	}
}

// TestDroppedRejectionsMarkNothing: rows of rejections for which there was no room are synced.
func TestDroppedRejectionsMarkNothing(t *testing.T) {
	agent := newGated()
	close(agent.open)
	server := durable(t, core.Options{Policy: agent})
	for _, limits := range []core.Limits{{Rejections: 1}, {RejectionBytes: 400}} {
		a := connected(t, server, core.Options{Limits: limits})
		q := liveOn(t, a, "ORDER BY name")
		var made []id.EntityID
		for _, name := range []string{"a", "b"} {
			e := create(t, a, name, 1)
			made = append(made, e)
			if err := put(t, a, "album", e, "name", "bad", "artist", strings.Repeat("x", 150)).Synced(t.Context()); err == nil {
				t.Fatal("it was accepted")
			}
		}
		eventually(t, "the first is forgotten", func() bool { return rowStates(q) == "a synced, b refused" })
		for _, e := range made {
			tx := anonymous(server).Begin()
			if err := tx.Delete(t.Context(), "album", e); err != nil {
				t.Fatal(err)
			}
			commit(t, tx)
		}
	}
}

// TestAggregatesOfStates: what is not synced is counted here; what is cannot be.
func TestAggregatesOfStates(t *testing.T) {
	agent := newGated()
	server := durable(t, core.Options{Policy: agent})
	a := connected(t, server, core.Options{})
	count := func(text string) (*core.LiveAggregate, error) {
		of, err := ankql.AggregationOf(selection(t, text), nil, ankql.Count("n"))
		if err != nil {
			t.Fatal(err)
		}
		q, err := anonymous(a).QueryAggregate("album", of)
		if err == nil {
			t.Cleanup(q.Close)
		}
		return q, err
	}
	q, err := count("$sync = 'pending' AND year > 1")
	if err != nil {
		t.Fatal(err)
	}
	is := func(n int64) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " pending"), func() bool {
			g := q.Groups()
			return len(g) == 1 && g[0].Values[0] == value.Int(n)
		})
	}
	is(0)
	create(t, a, "one", 1)
	create(t, a, "two", 2)
	create(t, a, "three", 3)
	is(2)
	close(agent.open)
	is(0)
	for _, text := range []string{"$sync = 'synced'", "$sync != 'pending'", "year = 1 OR $sync = 'pending'"} {
		if _, err := count(text); core.KindOf(err) != core.KindSelection || !strings.Contains(err.Error(), "$sync") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestStatesAskForNoMoreThanIsNeeded: rows that are not synced are here already, so nothing is
// fetched to find them; but refused ones are kept in step.
func TestStatesAskForNoMoreThanIsNeeded(t *testing.T) {
	agent := newGated()
	close(agent.open)
	server := durable(t, core.Options{Policy: agent})
	e := create(t, server, "one", 1)
	create(t, server, "other", 1)
	a, link := linked(t, server, core.Options{})
	pending, refused := liveOn(t, a, "$sync = 'pending'"), liveOn(t, a, "$sync = 'refused' LIMIT 9")
	if err := put(t, a, "album", e, "name", "bad").Synced(t.Context()); err == nil { // fetches the one
		t.Fatal("it was accepted")
	}
	eventually(t, "refused", func() bool { return rowStates(refused) == "one refused" })
	put(t, server, "album", e, "name", "renamed")
	eventually(t, "edited by others", func() bool { return rowStates(refused) == "renamed refused" && refused.Status() == core.QueryLive })
	link.Close()
	eventually(t, "offline", func() bool { return a.Status().Connection == core.Offline })
	put(t, server, "album", e, "name", "again")
	local.Connect(server, a)
	eventually(t, "edited meanwhile", func() bool { return rowStates(refused) == "again refused" && refused.Status() == core.QueryLive })
	if got := rowStates(pending); got != "" {
		t.Error(got)
	}
	a.Close()
	if got := rowStates(refused); got != "again refused" {
		t.Error(got)
	}
}

// TestStatesEqualRecomputed: whatever happens, in whatever order, over restarts and without a
// connection: a row's state follows from the transactions that are on their way and the
// refusals that are kept; selections that ask for states show what they are true of; and the
// change sets lead there.
func TestStatesEqualRecomputed(t *testing.T) {
	ankqltest.Each(t, 20, func(t *testing.T, g *ankqltest.Gen) {
		synctest.Test(t, func(t *testing.T) { recomputedStates(t, g) })
	})
}

// stateStory is a node whose transactions wait, are accepted and are refused.
type stateStory struct {
	t       *testing.T
	g       *ankqltest.Gen
	server  *core.Node
	disk    *memory.Disk
	engine  *forgetful
	node    *core.Node
	link    *core.Link // nil while offline
	made    []id.EntityID
	queries []*stateQuery

	mu      sync.Mutex
	waiting map[id.TransactionID][]id.EntityID // what committed transactions touch; guarded by mu
}

type stateQuery struct {
	*core.LiveQuery
	window bool
	shown  []*core.View // what its change sets lead to
	bad    string
}

// forgetful is an engine that keeps of a record what every engine keeps, and whose next commit
// may fail: before it is done, or after.
type forgetful struct {
	storage.Engine
	failure atomic.Int32
}

func (f *forgetful) Commit(ctx context.Context, b *storage.Batch) error {
	failure := f.failure.Swap(0)
	if failure == 1 {
		return fmt.Errorf("%w: before", storage.ErrUnavailable)
	}
	kept := *b
	kept.Records = slices.Clone(b.Records)
	for i := range kept.Records {
		record := *kept.Records[i].Record
		record.Sync = core.Synced
		kept.Records[i].Record = &record
	}
	err := f.Engine.Commit(ctx, &kept)
	if failure == 2 && err == nil {
		return fmt.Errorf("%w: after", storage.ErrUnavailable)
	}
	return err
}

var stateSelections = []string{
	"", "$sync = 'pending'", "$sync = 'refused'", "$sync = 'synced'", "$sync != 'synced' ORDER BY name", "NOT $sync = 'pending' ORDER BY year, name LIMIT 3",
	"$sync = 'pending' AND year > 3 OR $sync = 'refused' AND year < 6", "year > 3 ORDER BY $sync, name LIMIT 4", "$sync = 'pending' OR name = 'b' ORDER BY name DESC", "year > 4 AND $sync IN ('synced', 'refused')",
}

func recomputedStates(t *testing.T, g *ankqltest.Gen) {
	s := &stateStory{t: t, g: g, disk: memory.NewDisk(), waiting: make(map[id.TransactionID][]id.EntityID)}
	agent := newGated()
	close(agent.open)
	s.server = durable(t, core.Options{Policy: agent})
	for range 4 {
		s.made = append(s.made, create(t, s.server, ankqltest.Pick(g, "a", "b", "c"), int64(g.IntN(9))))
	}
	s.open()
	for range 50 {
		s.step()
	}
	s.online()
	s.check()
}

// open opens the node over what it has stored.
func (s *stateStory) open() {
	s.engine = &forgetful{Engine: s.disk.Open()}
	s.node = open(s.t, core.Options{Engine: s.engine})
	if err := s.node.Register(s.t.Context(), album); err != nil {
		s.t.Fatal(err)
	}
	s.node.OnSettled(func(settled core.Settled) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, settled.Transaction)
	})
	s.online()
	s.queries = nil
	for i, text := range stateSelections {
		q := &stateQuery{}
		var err error
		sel := selection(s.t, text)
		if q.window = i%3 == 0 && sel.Limit < 0 && s.g.IntN(2) == 0; q.window {
			q.LiveQuery, err = anonymous(s.node).QueryWindow("album", sel, core.Window{Anchor: core.AtStart, After: 3})
		} else {
			q.LiveQuery, err = anonymous(s.node).Query("album", sel)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		q.Subscribe(q.follow)
		s.queries = append(s.queries, q)
	}
}

// follow carries out a change set, and notes one that a row's receiver would take for a change
// that is none.
func (q *stateQuery) follow(set *core.ChangeSet) {
	for _, c := range set.Changes {
		var before *core.View
		if c.From >= 0 {
			before = q.shown[c.From]
			q.shown = slices.Delete(q.shown, c.From, c.From+1)
		}
		if c.View == nil {
			continue
		}
		q.shown = slices.Insert(q.shown, c.To, c.View)
		if c.Same && c.From == c.To && before.Sync() == c.View.Sync() {
			q.bad = "told of a row that reads as before: " + text(c.View, "name")
		}
	}
}

func (s *stateStory) online() {
	if s.link == nil {
		s.link = local.Connect(s.server, s.node)
	}
}

func (s *stateStory) step() {
	s.t.Helper()
	g := s.g
	switch g.IntN(14) {
	case 0:
		if s.link != nil {
			s.link.Close()
			s.link = nil
		}
	case 1, 2:
		s.online()
	case 3:
		for _, q := range s.queries {
			q.Close()
		}
		s.node.Close()
		s.link = nil
		s.open()
	case 4, 5:
		s.decide()
	case 6:
		s.write(s.server)
	case 7:
		s.engine.failure.Store(int32(1 + g.IntN(2)))
	default:
		s.write(s.node)
	}
	if g.IntN(3) > 0 {
		s.check()
	}
}

// decide does something about a refusal.
func (s *stateStory) decide() {
	list, err := s.node.Rejections(s.t.Context())
	if err != nil || len(list) == 0 {
		return
	}
	r := ankqltest.Pick(s.g, list...)
	switch s.g.IntN(4) {
	case 0:
		err = s.node.DismissRejection(s.t.Context(), r.Transaction)
	case 1:
		err = s.node.DismissRejections(s.t.Context())
	case 2:
		var receipt *core.Receipt
		if receipt, err = s.node.RetryRejection(s.t.Context(), r.Transaction); err == nil {
			s.note(receipt, touched(r))
		} else if core.KindOf(err) == core.KindNotFound {
			err = nil // what it edits is gone
		}
	default:
		tx := anonymous(s.node).Begin()
		tx.Replaces(r.Transaction)
		s.change(tx)
		return
	}
	if err != nil && core.KindOf(err) != core.KindStorage {
		s.t.Fatal(err)
	}
}

func touched(r core.Rejection) (list []id.EntityID) {
	for _, c := range r.Changes() {
		list = append(list, c.Entity)
	}
	return list
}

func (s *stateStory) write(n *core.Node) { s.change(anonymous(n).Begin()) }

// change does something in a transaction, and commits it.
func (s *stateStory) change(tx *core.Tx) {
	var concerned []id.EntityID
	for range 1 + s.g.IntN(2) {
		name := ankqltest.Pick(s.g, "a", "b", "c", "bad", "bad")
		if s.g.IntN(3) == 0 {
			e, err := tx.Create(s.t.Context(), "album", with("name", name, "year", s.g.IntN(9)))
			if err != nil {
				s.t.Fatal(err)
			}
			s.made = append(s.made, e)
			concerned = append(concerned, e)
			continue
		}
		e := ankqltest.Pick(s.g, s.made...)
		err := tx.Set(s.t.Context(), "album", e, with("name", name, "year", s.g.IntN(9)))
		switch core.KindOf(err) {
		case core.KindNone:
			concerned = append(concerned, e)
		case core.KindNotFound, core.KindOffline:
		default:
			s.t.Fatal(err)
		}
	}
	receipt, err := tx.Commit(s.t.Context())
	if err != nil {
		if k := core.KindOf(err); k == core.KindDenied || k == core.KindStorage || k == core.KindNotFound {
			return
		}
		s.t.Fatal(err)
	}
	if tx.Node() == s.node && len(concerned) > 0 {
		s.note(receipt, concerned)
	}
}

// note remembers what waits. It may have been settled in the meantime.
func (s *stateStory) note(receipt *core.Receipt, concerned []id.EntityID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[receipt.Transaction()] = concerned
	if err := receipt.Synced(settledAlready()); !errors.Is(err, context.Canceled) {
		delete(s.waiting, receipt.Transaction())
	}
}

// check compares, when nothing is on its way.
func (s *stateStory) check() {
	s.t.Helper()
	time.Sleep(5 * time.Second)
	synctest.Wait()
	want := make(map[id.EntityID]core.SyncState)
	list, err := s.node.Rejections(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range list {
		for _, e := range touched(r) {
			want[e] = core.Refused
		}
	}
	s.mu.Lock()
	for _, concerned := range s.waiting {
		for _, e := range concerned {
			want[e] = core.Pending
		}
	}
	s.mu.Unlock()
	rows := s.queries[0].Rows()
	if s.queries[0].window {
		rows = watch(s.t, s.node, "album", "").Rows()
	}
	for _, v := range rows {
		if v.Sync() != want[v.ID()] {
			s.t.Fatalf("%s is %s, not %s", v.ID(), v.Sync(), want[v.ID()])
		}
	}
	for i, q := range s.queries {
		s.compare(stateSelections[i], q, rows)
	}
}

func (s *stateStory) compare(text string, q *stateQuery, rows []*core.View) {
	s.t.Helper()
	sel := q.Selection()
	var want []*core.View
	for _, v := range rows {
		if sel.Matches(v) {
			want = append(want, v)
		}
	}
	slices.SortFunc(want, func(a, b *core.View) int {
		return strings.Compare(string(sel.AppendSortKey(nil, a, a.ID())), string(sel.AppendSortKey(nil, b, b.ID())))
	})
	limit := sel.Limit
	if q.window {
		limit = 3
	}
	if limit >= 0 && len(want) > limit {
		want = want[:limit]
	}
	lines := func(list []*core.View) string {
		var out []string
		for _, v := range list {
			out = append(out, fmt.Sprint(v.ID(), " ", v.Field("name"), " ", v.Field("year"), " ", v.Sync()))
		}
		return strings.Join(out, "\n")
	}
	if got := lines(q.Rows()); got != lines(want) {
		s.t.Fatalf("%s (%v, %v) shows\n%s\nwant\n%s", text, q.Status(), q.Err(), got, lines(want))
	}
	if got := lines(q.shown); got != lines(want) {
		s.t.Fatalf("%s: the change sets lead to\n%s\nwant\n%s", text, got, lines(want))
	}
	if q.bad != "" {
		s.t.Fatalf("%s: %s", text, q.bad)
	}
}

// settledAlready is a context that waits for nothing.
func settledAlready() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
