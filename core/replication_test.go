package core_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// region is durable nodes with stores of their own, and the lines between them.
type region struct {
	t     testing.TB
	sites []*site
	lines []*line
}

// site is a durable node that can be restarted.
type site struct {
	name string
	disk *memory.Disk
	opts core.Options
	node *core.Node // nil while it is down
	atom *atomicity
	wrap func(storage.Engine) storage.Engine // its engine; nil for nothing

	dialled atomic.Pointer[core.Node] // node, for those who dial it
}

// line is a connection that one site keeps up to another.
type line struct {
	r        *region
	from, to *site
	link     *core.Link

	mu    sync.Mutex
	cut   bool
	conns []connectors.Conn
}

var quick = core.Limits{Backoff: 100 * time.Millisecond, MaxBackoff: time.Second}

// newRegion opens durable nodes; the first has a system, which the others are to join.
func newRegion(t testing.TB, sites int) *region {
	r := &region{t: t}
	for i := range sites {
		s := &site{name: string(rune('A' + i)), disk: memory.NewDisk(), opts: core.Options{Limits: quick}}
		r.sites = append(r.sites, s)
		r.up(s)
	}
	first := r.sites[0].node
	if err := first.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Register(t.Context(), album); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range r.sites {
			r.down(s)
		}
	})
	return r
}

// up opens a site, over what its disk holds, and has it dial.
func (r *region) up(s *site) {
	r.t.Helper()
	opts := s.opts
	opts.Engine, opts.Durable = s.disk.Open(), true
	if s.wrap != nil {
		opts.Engine = s.wrap(opts.Engine)
	}
	name := s.name
	if opts.Listener.Failed == nil {
		opts.Listener.Failed = func(op string, err error) { r.t.Logf("%s: %s: %v", name, op, err) }
	}
	n, err := core.Open(context.Background(), opts)
	if err != nil {
		r.t.Fatal(err)
	}
	s.node = n
	s.dialled.Store(n)
	if s.atom != nil {
		s.atom.watch(n)
	}
	for _, l := range r.lines {
		if l.from == s {
			l.link = n.Dial(l, core.DialOptions{})
		}
	}
}

func (r *region) down(s *site) {
	if s.node != nil {
		s.dialled.Store(nil)
		s.node.Close()
		s.node = nil
	}
}

// connect has one site dial another.
func (r *region) connect(from, to int) *line {
	l := &line{r: r, from: r.sites[from], to: r.sites[to]}
	r.lines = append(r.lines, l)
	l.link = l.from.node.Dial(l, core.DialOptions{})
	return l
}

func (l *line) String() string { return l.from.name + "→" + l.to.name }

// Dial implements connectors.Dialer.
func (l *line) Dial(ctx context.Context) (connectors.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := l.to.dialled.Load()
	if l.cut || to == nil {
		return nil, errNetwork
	}
	conn, err := local.NewDialer(to, local.Options{}).Dial(ctx)
	if err == nil {
		l.conns = append(l.conns, conn)
	}
	return conn, err
}

// set cuts a line or mends it.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut = cut; cut {
		for _, c := range l.conns {
			c.Close("cut")
		}
		l.conns = nil
	}
}

// contents is everything of a store that all stores of a system come to hold.
func (s *site) contents(t testing.TB) map[string][]byte {
	t.Helper()
	walker := s.disk.Open().(storage.Walker)
	all := make(map[string][]byte)
	var after id.EntityID
	for {
		page, err := walker.WalkRecords(t.Context(), after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			all["record "+r.Record.Collection+" "+r.Record.Entity.String()] = proto.AppendState(nil, r.Record.State)
			after = r.Record.Entity
		}
	}
	var from storage.EventKey
	for {
		page, err := walker.WalkEvents(t.Context(), from, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			all["event "+e.Event.ID.String()] = proto.AppendEvent(nil, e.Event)
			from = e.Key
		}
	}
	for _, collection := range []string{"album", "pet", "track"} {
		if m, ok := s.node.Model(collection); ok {
			sorted := &schema.Model{Collection: m.Collection, Properties: slices.Clone(m.Properties), Indexes: m.Indexes}
			slices.SortFunc(sorted.Properties, func(a, b schema.Property) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
			all["model "+collection] = proto.AppendModels(nil, []*schema.Model{sorted})
		}
	}
	return all
}

// difference says in what two stores differ; "" for nothing.
func difference(a, b map[string][]byte) string {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if other, ok := b[name]; !ok {
			return name + " is missing"
		} else if !bytes.Equal(a[name], other) {
			return fmt.Sprintf("%s is\n%x, and\n%x", name, a[name], other)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			return name + " is missing in the first"
		}
	}
	return ""
}

// settle mends everything and waits until all sites hold the same.
func (r *region) settle(what string) {
	r.t.Helper()
	for _, s := range r.sites {
		if s.node == nil {
			r.up(s)
		}
	}
	for _, l := range r.lines {
		l.set(false)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		problem := r.difference()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			for _, s := range r.sites {
				r.t.Logf("%s: %+v", s.name, s.node.Replications())
			}
			r.t.Fatalf("%s: %s", what, problem)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (r *region) difference() string {
	first := r.sites[0].contents(r.t)
	for _, s := range r.sites[1:] {
		if d := difference(first, s.contents(r.t)); d != "" {
			return r.sites[0].name + " and " + s.name + ": " + d
		}
	}
	return ""
}

// atomicity watches that albums which one transaction made come into sight together.
type atomicity struct {
	t    testing.TB
	name string
	mu   sync.Mutex
	last *core.LiveQuery
}

func (a *atomicity) watch(n *core.Node) {
	q, err := anonymous(n).Query("album", selection(a.t, "artist LIKE 'tx%'"))
	if err != nil {
		return // the model is not known yet
	}
	a.mu.Lock()
	a.last = q
	a.mu.Unlock()
	counts := make(map[string]int)
	q.Subscribe(func(set *core.ChangeSet) {
		a.mu.Lock()
		defer a.mu.Unlock()
		seen := make(map[string]bool)
		for _, c := range set.Changes {
			if c.View != nil && c.From < 0 {
				artist := text(c.View, "artist")
				counts[artist]++
				seen[artist] = true
			}
		}
		for artist := range seen {
			var of int
			fmt.Sscanf(artist, "tx%d", &of)
			if counts[artist] != of {
				a.t.Errorf("%s shows %d of %s", a.name, counts[artist], artist)
			}
		}
	})
}

var topologies = map[string]func(n int) [][2]int{
	"line": func(n int) (list [][2]int) {
		for i := range n - 1 {
			list = append(list, [2]int{i + 1, i})
		}
		return list
	},
	"ring": func(n int) (list [][2]int) {
		for i := range n {
			list = append(list, [2]int{(i + 1) % n, i})
		}
		return list
	},
	"star": func(n int) (list [][2]int) {
		for i := 1; i < n; i++ {
			list = append(list, [2]int{i, 0})
		}
		return list
	},
	"mesh": func(n int) (list [][2]int) {
		for i := range n {
			for j := range i {
				list = append(list, [2]int{i, j})
			}
		}
		return list
	},
	"both ways": func(n int) (list [][2]int) {
		for i := range n - 1 {
			list = append(list, [2]int{i + 1, i}, [2]int{i, i + 1})
		}
		return list
	},
}

// TestReplicasOfAnyTopologyConverge: whatever durable nodes with stores of their own do, and
// whatever happens to them and the lines between them, they come to hold the same events,
// states, heads and models, and nobody sees half a transaction.
func TestReplicasOfAnyTopologyConverge(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(topologies)) {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s/seed=%d", name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { convergence(t, topologies[name], seed) })
			})
		}
	}
}

func convergence(t *testing.T, topology func(int) [][2]int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	r := newRegion(t, 3+rng.IntN(3))
	for _, l := range topology(len(r.sites)) {
		r.connect(l[0], l[1])
	}
	r.settle("at first")
	for _, s := range r.sites {
		s.atom = &atomicity{t: t, name: s.name}
		s.atom.watch(s.node)
	}
	w := &writer{r: r, rng: rng}
	for range 120 {
		w.step()
	}
	r.settle(fmt.Sprintf("seed %d", seed))
	for _, s := range r.sites {
		if s.atom.last.Err() != nil {
			t.Error(s.atom.last.Err())
		}
	}
	leavesNoTrace(t, r)
}

// leavesNoTrace checks that what everybody has goes round no more: no feed grows.
func leavesNoTrace(t *testing.T, r *region) {
	t.Helper()
	synctest.Wait()
	before := make([]uint64, len(r.sites))
	for i, s := range r.sites {
		before[i] = s.node.Published()
	}
	for _, l := range r.lines { // everybody comes anew
		l.set(true)
		l.set(false)
	}
	time.Sleep(10 * time.Second)
	for i, s := range r.sites {
		if now := s.node.Published(); now != before[i] {
			t.Errorf("%s published %d more transactions", s.name, now-before[i])
		}
		for _, x := range s.node.Replications() {
			if !x.Connected || x.Lag > 0 || x.Refused > 0 || x.LastError != nil {
				t.Errorf("%s: %+v", s.name, x)
			}
		}
	}
}

// writer does things at random.
type writer struct {
	r      *region
	rng    *rand.Rand
	albums []id.EntityID // never deleted
	doomed []id.EntityID
	made   int
}

func (w *writer) step() {
	s := w.r.sites[w.rng.IntN(len(w.r.sites))]
	switch k := w.rng.IntN(20); {
	case k == 0 && s.node != nil:
		w.r.down(s)
	case k <= 1 && s.node == nil:
		w.r.up(s)
	case k == 2:
		w.r.lines[w.rng.IntN(len(w.r.lines))].set(true)
	case k == 3:
		w.r.lines[w.rng.IntN(len(w.r.lines))].set(false)
	case k == 4:
		time.Sleep(time.Duration(w.rng.IntN(2000)) * time.Millisecond)
	case s.node == nil:
	case k == 5:
		w.register(s)
	default:
		w.write(s)
	}
}

// register makes a model known that others may be making known at the same time, with more
// or fewer properties.
func (w *writer) register(s *site) {
	m := &schema.Model{Collection: []string{"pet", "track"}[w.rng.IntN(2)]}
	for _, p := range []schema.Property{
		{Name: "name", Type: schema.TypeString},
		{Name: "age", Type: schema.TypeInt, Optional: w.rng.IntN(2) == 0},
		{Name: "mood", Type: schema.TypeEnum, Optional: true, Enum: []string{"calm", fmt.Sprint("wild", w.rng.IntN(3))}},
		{Name: "weight", Type: schema.TypeInt, Default: value.Int(int64(w.rng.IntN(3)))},
	} {
		if w.rng.IntN(3) > 0 {
			m.Properties = append(m.Properties, p)
		}
	}
	if err := s.node.Register(w.r.t.Context(), m); err != nil {
		w.r.t.Fatal(err)
	}
}

// write commits a transaction on some albums, or makes some.
func (w *writer) write(s *site) {
	t := w.r.t
	tx := anonymous(s.node).Begin()
	defer tx.Rollback()
	if len(w.albums) == 0 || w.rng.IntN(3) == 0 {
		w.made++
		of := 1 + w.rng.IntN(4)
		for range of {
			e, err := tx.Create(t.Context(), "album", with("name", "new", "artist", fmt.Sprintf("tx%d in %d", of, w.made)))
			if err != nil {
				t.Fatal(err)
			}
			if w.albums = append(w.albums, e); w.rng.IntN(2) == 0 {
				continue
			}
			if e, err = tx.Create(t.Context(), "album", with("name", "another")); err != nil {
				t.Fatal(err)
			}
			w.doomed = append(w.doomed, e)
		}
	} else {
		for range 1 + w.rng.IntN(3) {
			e := w.albums[w.rng.IntN(len(w.albums))]
			var err error
			if len(w.doomed) > 0 && w.rng.IntN(2) == 0 {
				e = w.doomed[w.rng.IntN(len(w.doomed))]
				err = []func(context.Context, string, id.EntityID) error{tx.Delete, tx.Restore}[w.rng.IntN(2)](t.Context(), "album", e)
			}
			if err == nil {
				err = tx.Set(t.Context(), "album", e, with("name", fmt.Sprint(w.rng.IntN(1000))))
			}
			if err != nil && core.KindOf(err) != core.KindNotFound { // it has not come here yet, or is deleted
				t.Fatal(err)
			}
		}
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestReplicationOverFailingStorage: whatever call of a node's storage fails while it
// replicates, before or after it took effect, nothing is lost, and nothing is there twice.
func TestReplicationOverFailingStorage(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { failingStorage(t, seed) })
		})
	}
}

func failingStorage(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 11))
	r := newRegion(t, 3)
	r.connect(1, 0)
	r.connect(2, 1)
	r.settle("at first")
	var mu sync.Mutex // engines are called from many goroutines
	broken := false
	middle := r.sites[1]
	r.down(middle)
	middle.opts.Listener.Failed = func(string, error) {}
	middle.wrap = func(e storage.Engine) storage.Engine {
		return faulty.Wrap(e, func(c faulty.Call) faulty.Fault {
			mu.Lock()
			defer mu.Unlock()
			if !broken || rng.IntN(4) > 0 {
				return faulty.Fault{}
			}
			switch {
			case c.Op == faulty.Commit && rng.IntN(2) == 0:
				return faulty.Fault{After: storage.ErrUnavailable}
			case rng.IntN(2) == 0:
				return faulty.Fault{Before: storage.ErrFull}
			}
			return faulty.Fault{Before: storage.ErrUnavailable}
		})
	}
	r.up(middle)
	set := func(to bool) {
		mu.Lock()
		defer mu.Unlock()
		broken = to
	}
	var albums []id.EntityID
	for i := range 60 {
		set(i%3 > 0)
		outer := r.sites[2*(i%2)]
		albums = append(albums, create(t, outer.node, fmt.Sprint("album ", i), 1))
		for range i % 4 {
			create(t, outer.node, "another", 1)
		}
		tx := anonymous(middle.node).Begin() // its own commits may fail, and are there or not
		_ = tx.Set(t.Context(), "album", albums[i/2], with("year", i))
		_, _ = tx.Commit(t.Context())
		time.Sleep(time.Duration(i*7%40) * 10 * time.Millisecond)
	}
	set(false)
	r.settle(fmt.Sprintf("seed %d", seed))
	for _, s := range r.sites {
		for _, x := range s.node.Replications() {
			if x.Refused > 0 {
				t.Errorf("%s refused: %+v", s.name, x)
			}
		}
	}
}
