package core_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
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
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// story is a run of random transactions against random live queries, and the world as it
// ought to be. Live equals recomputed: after each transaction every result is what the naive
// answer is, and its change sets lead there.
type story struct {
	t    *testing.T
	g    *ankqltest.Gen
	open []*followed
	last []string // the operations of the last transaction, for a failure
}

// followed is a live query and what its change sets add up to.
type followed struct {
	q          *core.LiveQuery
	collection string
	sel        *ankql.Selection
	before     []id.EntityID // the rows at the last check

	mu   sync.Mutex
	rows []*core.View
	sets []*core.ChangeSet // with changes, since the last check
	bad  string            // a change set that does not fit
}

// follow takes in a change set as a receiver does.
func (f *followed) follow(set *core.ChangeSet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(set.Changes) == 0 {
		return
	}
	f.sets = append(f.sets, set)
	for _, c := range set.Changes {
		if f.bad == "" {
			f.bad = f.apply(c)
		}
	}
}

// apply returns what is wrong with a change.
func (f *followed) apply(c core.Change) string {
	named := fmt.Sprintf("%v %s from %d to %d", c.Kind, c.Entity, c.From, c.To)
	if (c.Kind == core.ChangeRemoved) != (c.View == nil) || (c.View == nil) != (c.To < 0) || (c.Kind == core.ChangeUpdated || c.View == nil) != (c.From >= 0) {
		return named + " contradicts itself"
	}
	if c.From >= 0 {
		if c.From >= len(f.rows) || f.rows[c.From].ID() != c.Entity {
			return named + " takes away another row"
		}
		f.rows = slices.Delete(f.rows, c.From, c.From+1)
	}
	if c.To >= 0 {
		if c.To > len(f.rows) || c.View.ID() != c.Entity {
			return named + " puts a row where there is no place"
		}
		f.rows = slices.Insert(f.rows, c.To, c.View)
	}
	return ""
}

// tell forgets the change sets so far and returns them.
func (f *followed) tell() ([]*core.ChangeSet, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sets := f.sets
	f.sets = nil
	return sets, f.bad
}

func (f *followed) shown() []*core.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.rows)
}

// watch opens a live query; now and then one that is open already.
func (s *story) watch(n *core.Node) *followed {
	s.t.Helper()
	collection := ankqltest.Pick(s.g, s.g.World.Models.Collections()...)
	f := &followed{collection: collection, sel: s.g.Selection(collection)}
	if len(s.open) > 0 && s.g.IntN(5) == 0 {
		same := ankqltest.Pick(s.g, s.open...)
		f.collection, f.sel = same.collection, same.sel
	}
	q, err := anonymous(n).Query(f.collection, f.sel)
	if err != nil {
		s.t.Fatalf("%s over %s: %v", f.sel, f.collection, err)
	}
	f.q = q
	s.t.Cleanup(q.Close)
	q.Subscribe(f.follow)
	s.open = append(s.open, f)
	return f
}

// browse opens, closes or changes a live query.
func (s *story) browse(n *core.Node) {
	s.t.Helper()
	i := s.g.IntN(len(s.open))
	switch f := s.open[i]; s.g.IntN(6) {
	case 0:
		s.watch(n)
	case 1:
		f.q.Close()
		s.open = slices.Delete(s.open, i, i+1)
		s.watch(n)
	case 2, 3:
		f.sel = s.g.Selection(f.collection)
		if err := f.q.SetSelection(s.t.Context(), f.sel); err != nil {
			s.t.Fatalf("%s over %s: %v", f.sel, f.collection, err)
		}
	}
}

// change commits a random transaction, and returns the entities that it concerns. The world
// is changed too.
func (s *story) change(n *core.Node) (touched map[id.EntityID]bool, receipt *core.Receipt) {
	s.t.Helper()
	tx := anonymous(n).Begin()
	touched, s.last = map[id.EntityID]bool{}, nil
	s.operations(func(op ankqltest.Op) bool {
		e, err := carryOut(s.t.Context(), tx, op)
		if err != nil {
			s.t.Fatalf("%s: %v", op, err)
		}
		s.g.World.Do(op, e)
		touched[e] = true
		op.Entity = e
		s.last = append(s.last, op.String())
		if s.g.IntN(4) == 0 { // the transaction reads its own writes
			s.fetches("in the transaction", tx.Fetch)
		}
		return true
	})
	r, err := tx.Commit(s.t.Context())
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(s.last, "\n"), err)
	}
	return touched, r
}

// operations calls do with the operations of a random transaction, most often few, now and
// then enough to empty a window and what it holds in store. It ends when do says so.
func (s *story) operations(do func(ankqltest.Op) bool) {
	if s.g.IntN(8) > 0 {
		for range 1 + s.g.IntN(4) {
			if !do(s.g.Op()) {
				return
			}
		}
		return
	}
	for _, op := range s.g.Sweep() {
		if !do(op) {
			return
		}
	}
}

// fetches holds the answer to a random selection against the world.
func (s *story) fetches(where string, fetch func(ctx context.Context, collection string, sel *ankql.Selection) ([]*core.View, error)) {
	s.t.Helper()
	c := ankqltest.Pick(s.g, s.g.World.Models.Collections()...)
	sel := s.g.Selection(c)
	rows, err := fetch(s.t.Context(), c, sel)
	if err != nil {
		s.t.Fatalf("%s over %s: %v", sel, c, err)
	}
	if problem := differ(s.g.World, "fetches "+where, rows, s.g.World.Fetch(c, sel)); problem != "" {
		s.t.Fatalf("%s over %s: %s\nafter\n%s", sel, c, problem, strings.Join(s.last, "\n"))
	}
}

func carryOut(ctx context.Context, tx *core.Tx, op ankqltest.Op) (id.EntityID, error) {
	var set []proto.Field
	for _, name := range slices.Sorted(maps.Keys(op.Set)) {
		set = append(set, proto.Field{Name: name, Value: op.Set[name]})
	}
	switch op.Kind {
	case ankqltest.Create:
		return tx.Create(ctx, op.Collection, set)
	case ankqltest.Edit:
		return op.Entity, tx.Set(ctx, op.Collection, op.Entity, set)
	case ankqltest.Delete:
		return op.Entity, tx.Delete(ctx, op.Collection, op.Entity)
	}
	return op.Entity, tx.Restore(ctx, op.Collection, op.Entity)
}

// check holds every open query against the world. Where touched is not nil, a transaction
// was committed since the last check, and nothing else was done: it makes one change set
// of each result that it changes, which names nothing else.
func (s *story) check(touched map[id.EntityID]bool) {
	s.t.Helper()
	for _, f := range s.open {
		if problem := s.problem(f, s.g.World, touched); problem != "" {
			s.t.Fatalf("%s over %s (%v): %s\nafter\n%s", f.sel, f.collection, f.q.Status(), problem, strings.Join(s.last, "\n"))
		}
	}
}

// problem returns what is wrong with a live query.
func (s *story) problem(f *followed, w *ankqltest.World, touched map[id.EntityID]bool) string {
	sets, bad := f.tell()
	if bad != "" {
		return bad
	}
	want := w.Fetch(f.collection, f.sel)
	if problem := differ(w, "shows", f.q.Rows(), want); problem != "" {
		return problem
	}
	if problem := differ(w, "tells of", f.shown(), want); problem != "" {
		return problem
	}
	before := f.before
	f.before = nil
	for _, r := range want {
		f.before = append(f.before, r.ID)
	}
	if touched == nil {
		return ""
	}
	if len(sets) > 1 {
		return fmt.Sprintf("%d change sets for one transaction", len(sets))
	}
	if len(sets) == 1 {
		return superfluous(sets[0], before, f.before, touched)
	}
	return ""
}

// superfluous returns which change a set need not have named.
func superfluous(set *core.ChangeSet, before, after []id.EntityID, touched map[id.EntityID]bool) string {
	for _, c := range set.Changes {
		had, has := slices.Contains(before, c.Entity), slices.Contains(after, c.Entity)
		moved := c.Same && c.From != c.To // by what its references lead to
		if !touched[c.Entity] && had == has && !moved {
			return fmt.Sprintf("%v %s, which did not change", c.Kind, c.Entity)
		}
		if c.Kind == core.ChangeInitial {
			return fmt.Sprintf("%v %s by a transaction", c.Kind, c.Entity)
		}
	}
	return ""
}

// differ returns how rows differ from those that ought to be.
func differ(w *ankqltest.World, verb string, got []*core.View, want []*ankqltest.Row) string {
	if !slices.EqualFunc(got, want, func(v *core.View, r *ankqltest.Row) bool { return v.ID() == r.ID }) {
		var ids, expected []string
		for _, v := range got {
			ids = append(ids, v.ID().String())
		}
		for _, r := range want {
			expected = append(expected, r.String())
		}
		return fmt.Sprintf("%s\n %s\nwant\n %s", verb, strings.Join(ids, "\n "), strings.Join(expected, "\n "))
	}
	for i, v := range got {
		for _, p := range w.Models[v.Collection()].Properties {
			if v.Field(p.Name) != want[i].Field(p.Name) {
				return fmt.Sprintf("%s %s of %s as %s, want %s", verb, p.Name, v.ID(), v.Field(p.Name), want[i].Field(p.Name))
			}
		}
	}
	return ""
}

// someEngine returns one that answers by scanning, or one that has an index made for nearly
// every selection.
func someEngine(t *testing.T, g *ankqltest.Gen) storage.Engine {
	t.Helper()
	if g.IntN(2) == 0 {
		return memory.New()
	}
	e, err := kv.Open(t.Context(), kvtest.NewDisk().Open(), kv.Options{Planner: kv.Always, AutoIndexRows: 1, BuildRows: 3, ScanRows: 20})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// registerAll registers the world's models.
func registerAll(t *testing.T, n *core.Node, w *ankqltest.World) {
	t.Helper()
	for _, c := range w.Models.Collections() {
		if err := n.Register(t.Context(), w.Models[c]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLiveEqualsRecomputed is 224 and the laws L3, L7 and L8 where the changes are made: on a
// durable node, and on an ephemeral one that is alone.
func TestLiveEqualsRecomputed(t *testing.T) {
	for _, kind := range []string{"durable", "ephemeral"} {
		t.Run(kind, func(t *testing.T) {
			ankqltest.Each(t, 12, func(t *testing.T, g *ankqltest.Gen) {
				synctest.Test(t, func(t *testing.T) { recomputedAlone(t, g, kind == "durable") })
			})
		})
	}
}

func recomputedAlone(t *testing.T, g *ankqltest.Gen, isDurable bool) {
	s := &story{t: t, g: g}
	if g.IntN(2) == 0 {
		g.Model("thing")
	}
	g.Full, g.References = ankqltest.Pick(g, 12, 60), g.IntN(2) == 0
	n := open(t, core.Options{Durable: isDurable, Engine: someEngine(t, g)})
	if isDurable {
		if err := n.CreateSystem(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	registerAll(t, n, g.World)
	for range 10 {
		s.watch(n)
	}
	synctest.Wait()
	s.check(nil)
	for range 40 {
		touched, _ := s.change(n)
		s.fetches("from the node", anonymous(n).Fetch)
		s.check(touched) // at once: Commit returns when every result shows it
		s.browse(n)
		synctest.Wait()
		s.check(nil)
	}
}

// choosy is the policy of [TestPeersEqualRecomputed]: it refuses a note.
type choosy struct{ policy.Agent }

func (choosy) Write(_ policy.Principal, w policy.Write) error {
	if note, _ := w.After.Field("note").AsString(); note == "refuse" {
		return policy.Denied("the note says so")
	}
	return nil
}

// guarded is choosy, and shows guests less than there is: what its scope is true of, row by row
// without those of one name. Guests do not make what they would not see.
type guarded struct {
	choosy
	scope ankql.Condition // of albums
	deep  bool            // the scope follows references
}

// scopes are what guests see of albums.
func scopes(g *ankqltest.Gen) guarded {
	return ankqltest.Pick(g,
		guarded{scope: ankql.Ne("plays", 2)},
		guarded{scope: ankql.IsNull("artist.name").Or(ankql.Ne("artist.name", "ab")), deep: true})
}

const unseen = "b"

func (guarded) Authenticate(context.Context, []byte) (policy.Principal, error) {
	return policy.Principal{Name: "guest"}, nil
}

func (a guarded) Narrow(p policy.Principal, collection string) (ankql.Expr, error) {
	if p.Name == "" || collection != "album" {
		return nil, nil
	}
	return a.scope.Expr()
}

func (guarded) Read(p policy.Principal, _ string, row policy.Fields) error {
	if name, _ := row.Field("name").AsString(); p.Name != "" && name == unseen {
		return policy.Denied("nobody sees %s", unseen)
	}
	return nil
}

func (a guarded) Write(p policy.Principal, w policy.Write) error {
	err := errors.Join(a.choosy.Write(p, w), a.Read(p, "", w.After))
	switch {
	case p.Name == "":
	case a.deep && w.Before == nil && !w.After.Field("artist").IsNull(), !a.deep && w.After.Field("plays") == value.Int(2):
		err = errors.Join(err, policy.Denied("it would be out of sight"))
	}
	return err
}

// visible returns what guests see of a world.
func (a guarded) visible(g *ankqltest.Gen) *ankqltest.World {
	scope := g.Check("album", ankql.From(a.scope))
	seen := ankqltest.NewWorld(g.World.Models)
	for _, r := range g.World.Rows {
		name, _ := r.Field("name").AsString()
		if name != unseen && (r.Collection != "album" || g.World.Truth(scope.Where, r) == ankql.TruthTrue) {
			seen.Put(r)
		}
	}
	return seen
}

// TestPeersEqualRecomputed is TestLiveEqualsRecomputed on nodes that follow a durable one: what
// they show is right whenever nothing is on its way, through offline phases, own writes that
// wait, and writes that are refused.
func TestPeersEqualRecomputed(t *testing.T) {
	ankqltest.Each(t, 20, func(t *testing.T, g *ankqltest.Gen) {
		synctest.Test(t, func(t *testing.T) { recomputedPeers(t, g) })
	})
}

// peerStory is a durable node and those that follow it.
type peerStory struct {
	*story
	server *core.Node
	peers  []*peerOf
	dead   map[id.EntityID]string // the collections of what has been deleted
	guard  *guarded               // nil where the peers see all
}

// peerOf is an ephemeral node with live queries.
type peerOf struct {
	*story
	node *core.Node
	link *core.Link // nil while offline
}

func recomputedPeers(t *testing.T, g *ankqltest.Gen) {
	g.Full, g.References = ankqltest.Pick(g, 12, 60), g.IntN(2) == 0
	s := &peerStory{story: &story{t: t, g: g}, dead: map[id.EntityID]string{}}
	agent := policy.Agent(choosy{policy.Permissive()})
	if g.IntN(3) == 0 {
		guard := scopes(g)
		guard.choosy = choosy{policy.Permissive()}
		s.guard, agent = &guard, guard
	}
	server := open(t, core.Options{Durable: true, Policy: agent, Engine: someEngine(t, g)})
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	registerAll(t, server, g.World)
	s.server = server
	for range 2 {
		n := open(t, core.Options{Engine: someEngine(t, g)})
		registerAll(t, n, g.World)
		p := &peerOf{story: &story{t: t, g: g}, node: n, link: local.Connect(server, n)}
		s.peers = append(s.peers, p)
	}
	s.settle()
	for range g.Full {
		s.write(server)
	}
	for _, p := range s.peers {
		for range 6 {
			p.watch(p.node)
		}
	}
	for range 60 {
		s.step()
	}
	for _, p := range s.peers {
		s.online(p)
	}
	s.settle()
	s.checkPeers()
}

// settle waits until nothing is on its way.
func (s *peerStory) settle() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

func (s *peerStory) step() {
	s.t.Helper()
	p := ankqltest.Pick(s.g, s.peers...)
	switch s.g.IntN(12) {
	case 0:
		if p.link != nil {
			p.link.Close()
			p.link = nil
		}
	case 1, 2:
		s.online(p)
	case 3:
		p.browse(p.node)
	case 4, 5, 6, 7:
		s.write(s.server)
	default:
		s.write(p.node)
	}
	if s.g.IntN(3) > 0 {
		s.settle()
		s.checkPeers()
	}
}

func (s *peerStory) online(p *peerOf) {
	if p.link == nil {
		p.link = local.Connect(s.server, p.node)
	}
}

// world makes the generator's world what a node has.
func (s *peerStory) world(n *core.Node) {
	s.t.Helper()
	w := ankqltest.NewWorld(s.g.World.Models)
	for _, c := range w.Models.Collections() {
		tx := anonymous(n).Begin()
		rows, err := tx.Fetch(s.t.Context(), c, selection(s.t, ""))
		tx.Rollback()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, v := range rows {
			r := &ankqltest.Row{Collection: c, ID: v.ID(), Values: map[string]value.Value{}}
			for _, p := range w.Models[c].Properties {
				r.Values[p.Name] = v.Field(p.Name)
			}
			w.Put(r)
		}
	}
	for _, e := range slices.SortedFunc(maps.Keys(s.dead), func(a, b id.EntityID) int { return a.Compare(b.ULID) }) {
		if w.Row(e) == nil {
			w.Put(&ankqltest.Row{Collection: s.dead[e], ID: e, Deleted: true})
		}
	}
	s.g.World = w
}

// write commits a random transaction on a node; one that the node cannot carry out is given
// up.
func (s *peerStory) write(n *core.Node) {
	s.t.Helper()
	s.world(n)
	tx := anonymous(n).Begin()
	defer tx.Rollback()
	s.last = nil
	possible := true
	s.operations(func(op ankqltest.Op) bool {
		if op.Collection == "album" && op.Set != nil && n != s.server && s.g.IntN(6) == 0 {
			op.Set = maps.Clone(op.Set)
			op.Set["note"] = value.String("refuse")
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		e, err := carryOut(ctx, tx, op)
		cancel()
		if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrOffline) {
			possible = false
			return false
		}
		if err != nil {
			s.t.Fatalf("%s: %v", op, err)
		}
		s.g.World.Do(op, e)
		op.Entity = e
		s.last = append(s.last, op.String())
		if op.Kind == ankqltest.Delete {
			s.dead[e] = op.Collection
		}
		return true
	})
	if !possible {
		return
	}
	if _, err := tx.Commit(s.t.Context()); core.KindOf(err) == core.KindNotFound {
		return // what it changes was created by a transaction that has been refused meanwhile
	} else if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(s.last, "\n"), err)
	}
}

// checkPeers holds what is shown against what the durable node has or, on a peer that is
// offline, against what that has itself.
func (s *peerStory) checkPeers() {
	s.t.Helper()
	for i, p := range s.peers {
		n, want := s.server, core.QueryLive
		if p.link == nil {
			n, want = p.node, core.QueryLocal
		} else if pending := p.node.Status().Pending; pending > 0 {
			s.t.Fatalf("peer %d: %d transactions are pending", i, pending)
		}
		s.world(n)
		if p.link != nil && s.guard != nil {
			s.g.World = s.guard.visible(s.g)
		}
		p.last = s.last
		p.fetches("from the peer", anonymous(p.node).Fetch)
		for _, f := range p.open {
			problem := p.problem(f, s.g.World, nil)
			if problem == "" && f.q.Status() != want {
				problem = fmt.Sprintf("status %v, %v", f.q.Status(), f.q.Err())
			}
			if problem != "" {
				s.t.Fatalf("peer %d, online: %v, %s over %s (%v): %s\nlast written\n%s", i, p.link != nil, f.sel, f.collection, f.q.Status(), problem, strings.Join(s.last, "\n"))
			}
		}
	}
}
