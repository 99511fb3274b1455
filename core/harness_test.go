package core_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/proto"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// pet is a second model, for what albums do not have.
var pet = &schema.Model{Collection: "pet", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "age", Type: schema.TypeInt, Optional: true},
	{Name: "limit_age", Type: schema.TypeInt, Optional: true},
	{Name: "x", Type: schema.TypeString, Optional: true},
	{Name: "owner", Type: schema.TypeRef, Target: "album", Optional: true},
}}

// with returns fields from names and values in turn.
func with(pairs ...any) []proto.Field {
	var list []proto.Field
	for i := 0; i < len(pairs); i += 2 {
		f := proto.Field{Name: pairs[i].(string)}
		switch v := pairs[i+1].(type) {
		case nil:
		case int:
			f.Value = value.Int(int64(v))
		case string:
			f.Value = value.String(v)
		case id.EntityID:
			f.Value = value.ID(v)
		case value.Value:
			f.Value = v
		default:
			panic(fmt.Sprintf("with %T", v))
		}
		list = append(list, f)
	}
	return list
}

// add creates an entity in a transaction of its own.
func add(t testing.TB, n *core.Node, collection string, pairs ...any) id.EntityID {
	t.Helper()
	tx := anonymous(n).Begin()
	e, err := tx.Create(t.Context(), collection, with(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// put changes an entity in a transaction of its own.
func put(t testing.TB, n *core.Node, collection string, e id.EntityID, pairs ...any) *core.Receipt {
	t.Helper()
	tx := anonymous(n).Begin()
	if err := tx.Set(t.Context(), collection, e, with(pairs...)); err != nil {
		t.Fatal(err)
	}
	r, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func selection(t testing.TB, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch opens a live query and waits until it has been answered from this node's data.
func watch(t testing.TB, n *core.Node, collection, text string, params ...any) *core.LiveQuery {
	t.Helper()
	q, err := anonymous(n).Query(collection, selection(t, text, params...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	await(t, text+" is answered", func() bool { return q.Status() != core.QueryLoading })
	return q
}

// await is eventually for benchmarks as well.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// recorder writes down the change sets of a live query, and follows them as a receiver
// would: a change set that does not fit the rows before it fails the test.
type recorder struct {
	t    testing.TB
	name string // of the property that names a row

	mu   sync.Mutex
	rows []shownRow
	sets []string
	all  []*core.ChangeSet
}

type shownRow struct {
	id   id.EntityID
	name string
}

// record subscribes to a query. The first call, with the rows so far, is not written down.
func record(t testing.TB, q *core.LiveQuery) *recorder { return recordAs(t, q, "name") }

func recordAs(t testing.TB, q *core.LiveQuery, property string) *recorder {
	t.Helper()
	r := &recorder{t: t, name: property}
	stop := q.Subscribe(r.take)
	r.mu.Lock()
	r.sets, r.all = nil, nil
	r.mu.Unlock()
	t.Cleanup(stop)
	return r
}

func (r *recorder) take(set *core.ChangeSet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var parts []string
	for _, c := range set.Changes {
		row := shownRow{id: c.Entity}
		if c.From >= 0 {
			if c.From >= len(r.rows) || r.rows[c.From].id != c.Entity {
				r.t.Errorf("%v from %d takes away another row of %v", c.Kind, c.From, r.rows)
				return
			}
			row.name = r.rows[c.From].name
			r.rows = slices.Delete(r.rows, c.From, c.From+1)
		}
		if (c.View == nil) != (c.To < 0) || (c.Kind == core.ChangeRemoved) != (c.View == nil) {
			r.t.Errorf("%v to %d with view %v", c.Kind, c.To, c.View)
		}
		if c.View != nil {
			row.name = text(c.View, r.name)
			r.rows = slices.Insert(r.rows, c.To, row)
		}
		parts = append(parts, c.Kind.String()+" "+row.name)
	}
	r.all = append(r.all, set)
	if len(parts) > 0 {
		r.sets = append(r.sets, strings.Join(parts, ", "))
	}
}

// text returns a property as people read it.
func text(v *core.View, property string) string {
	if s, ok := v.Field(property).AsString(); ok {
		return s
	}
	return v.Field(property).String()
}

// want compares what was written down since the last call, and forgets it. It does not
// wait: what a node has committed itself is shown when Commit returns.
func (r *recorder) want(sets ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.sets, sets) {
		r.t.Errorf("change sets\n %q, want\n %q", r.sets, sets)
	}
	r.sets = nil
}

// wait is want for what comes from elsewhere.
func (r *recorder) wait(sets ...string) {
	r.t.Helper()
	await(r.t, strings.Join(sets, "; "), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.sets) >= len(sets)
	})
	r.want(sets...)
}

// shown returns the rows that the change sets add up to.
func (r *recorder) shown() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, row := range r.rows {
		list = append(list, row.name)
	}
	return strings.Join(list, " ")
}

// rowNames returns a query's rows by a property.
func rowNames(q *core.LiveQuery, property string) string {
	var list []string
	for _, v := range q.Rows() {
		list = append(list, text(v, property))
	}
	return strings.Join(list, " ")
}
