package ankurah

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Count returns how many entities of model T match a predicate in AnkQL; an empty text is
// all. Its ORDER BY is left out, a LIMIT refused. An ephemeral node that is connected asks
// the durable node, without transferring rows; one that is not counts what it holds.
func Count[T any](ctx context.Context, c *Context, text string, params ...any) (int64, error) {
	of, collection, err := aggregation[T](c, nil, []ankql.Aggregate{ankql.Count("count")}, text, params)
	if err != nil {
		return 0, err
	}
	groups, err := c.Aggregate(ctx, collection, of)
	if err != nil {
		return 0, err
	}
	n, _ := groups[0].Values[0].AsInt()
	return n, nil
}

// Aggregate returns what is known of groups of entities of model T that match a predicate,
// ordered by what the groups agree in. R says what: a struct whose tagged fields are either
// paths to group by or aggregates.
//
//	type ByArtist struct {
//		Artist string   `ankurah:"artist"`                 // group by
//		Albums int      `ankurah:"count"`                  // entities
//		Rated  int      `ankurah:"count(rating)"`          // those with a rating
//		Years  int      `ankurah:"count(distinct year)"`   // different years
//		Tracks *int64   `ankurah:"sum(tracks)"`            // nil where there is none
//		Mean   *float64 `ankurah:"avg(rating)"`
//		First  *int     `ankurah:"min(year)"`
//		Last   *int     `ankurah:"max(year)"`
//	}
//
// Without a path to group by there is exactly one group. A NULL is a nil pointer or the zero
// value. Sums are exact and rounded once; one of ints that 64 bits do not hold is a float,
// which takes a float field.
func Aggregate[T, R any](ctx context.Context, c *Context, text string, params ...any) ([]R, error) {
	m, of, collection, err := aggregationInto[T, R](c, text, params)
	if err != nil {
		return nil, err
	}
	groups, err := c.Aggregate(ctx, collection, of)
	if err != nil {
		return nil, err
	}
	return readGroups[R](m, groups)
}

// LiveAggregate is what is known of groups of entities, and stays true; see
// core.LiveAggregate for what a node's own changes do to it before the durable node has them.
type LiveAggregate[R any] struct {
	live    *core.LiveAggregate
	mapping *groupMapping
	closed  chan struct{}
	once    sync.Once
}

// QueryAggregate opens a live aggregate; T, R and the text are those of Aggregate. It returns
// at once; the groups follow. Equal ones share what they cost.
func QueryAggregate[T, R any](c *Context, text string, params ...any) (*LiveAggregate[R], error) {
	m, of, collection, err := aggregationInto[T, R](c, text, params)
	if err != nil {
		return nil, err
	}
	live, err := c.QueryAggregate(collection, of)
	if err != nil {
		return nil, err
	}
	return &LiveAggregate[R]{live: live, mapping: m, closed: make(chan struct{})}, nil
}

// Rows returns the groups, ordered by what they agree in.
func (q *LiveAggregate[R]) Rows() ([]R, error) { return readGroups[R](q.mapping, q.live.Groups()) }

// Status returns how far the groups can be trusted.
func (q *LiveAggregate[R]) Status() QueryStatus { return q.live.Status() }

// Err returns why the status is QueryError, else nil.
func (q *LiveAggregate[R]) Err() error { return q.live.Err() }

// Wait blocks until the aggregate has been answered, by the durable node where QueryLive is
// wanted; it returns the aggregate's error, or ctx's.
func (q *LiveAggregate[R]) Wait(ctx context.Context, want QueryStatus) error {
	reached := make(chan struct{})
	var once sync.Once
	defer q.live.Subscribe(func(c *core.AggregateChange) {
		if c.Status >= want {
			once.Do(func() { close(reached) })
		}
	})()
	select {
	case <-reached:
		return q.live.Err()
	case <-q.closed:
		return core.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Groups is what a live aggregate shows at one moment.
type Groups[R any] struct {
	Status QueryStatus
	Err    error
	Rows   []R
}

// Subscribe calls f with the groups as they are and then, whenever they have changed, with
// the newest, one call after the other on a goroutine of its own, until stop or Close: a slow
// f misses what lies between. stop does not wait for a call in progress.
func (q *LiveAggregate[R]) Subscribe(f func(Groups[R])) (stop func()) {
	wake, done := make(chan struct{}, 1), make(chan struct{})
	cancel := q.live.Subscribe(func(*core.AggregateChange) {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	// Owned by the subscription: it ends with stop or with the aggregate.
	go func() {
		for {
			select {
			case <-wake:
				f(q.now())
			case <-done:
				return
			case <-q.closed:
				return
			}
		}
	}()
	var once sync.Once
	return func() { once.Do(func() { cancel(); close(done) }) }
}

func (q *LiveAggregate[R]) now() Groups[R] {
	now := q.live.Now()
	rows, err := readGroups[R](q.mapping, now.Changed)
	if now.Err != nil {
		err = now.Err
	}
	return Groups[R]{Status: now.Status, Err: err, Rows: rows}
}

// Close ends the aggregate and its subscriptions, and releases what it holds. It does not
// wait for a callback in progress.
func (q *LiveAggregate[R]) Close() {
	q.once.Do(func() { close(q.closed) })
	q.live.Close()
}

// LiveCount is how many entities match a predicate, and stays true.
type LiveCount struct{ of *LiveAggregate[counted] }

type counted struct {
	N int64 `ankurah:"count"`
}

// QueryCount opens a live count of the entities of model T that match; see Count. It returns
// at once. The durable node reads no more than the count takes, once, and then follows the
// changes, however many ask the same.
func QueryCount[T any](c *Context, text string, params ...any) (*LiveCount, error) {
	of, err := QueryAggregate[T, counted](c, text, params...)
	if err != nil {
		return nil, err
	}
	return &LiveCount{of}, nil
}

// Value returns the count, and whether it is known.
func (q *LiveCount) Value() (n int64, known bool) {
	return countOf(q.of.now())
}

func countOf(g Groups[counted]) (n int64, known bool) {
	if len(g.Rows) == 0 {
		return 0, false
	}
	return g.Rows[0].N, true
}

// Status returns how far the count can be trusted.
func (q *LiveCount) Status() QueryStatus { return q.of.Status() }

// Err returns why the status is QueryError, else nil.
func (q *LiveCount) Err() error { return q.of.Err() }

// Wait is LiveAggregate.Wait.
func (q *LiveCount) Wait(ctx context.Context, want QueryStatus) error { return q.of.Wait(ctx, want) }

// Subscribe calls f with the count and its status, once it is known and whenever either has
// changed; see LiveAggregate.Subscribe.
func (q *LiveCount) Subscribe(f func(n int64, status QueryStatus)) (stop func()) {
	return q.of.Subscribe(func(g Groups[counted]) {
		if n, known := countOf(g); known {
			f(n, g.Status)
		}
	})
}

// Close is LiveAggregate.Close.
func (q *LiveCount) Close() { q.of.Close() }

// aggregation makes what is asked of model T, which it registers.
func aggregation[T any](c *Context, groupBy []string, columns []ankql.Aggregate, text string, params []any) (*ankql.Aggregation, string, error) {
	m, s, err := selectionOf[T](c, "aggregate", text, params)
	if err != nil {
		return nil, "", err
	}
	of, err := ankql.AggregationOf(s, groupBy, columns...)
	if err != nil {
		return nil, "", &Error{Op: "aggregate", Kind: core.KindSelection, Err: err}
	}
	return of, m.model.Collection, nil
}

func aggregationInto[T, R any](c *Context, text string, params []any) (*groupMapping, *ankql.Aggregation, string, error) {
	m, err := groupMappingOf(reflect.TypeFor[R]())
	if err != nil {
		return nil, nil, "", &Error{Op: "aggregate", Kind: core.KindSchema, Err: err}
	}
	of, collection, err := aggregation[T](c, m.groupBy, m.columns, text, params)
	return m, of, collection, err
}

// groupMapping is how a struct's fields and what is asked of groups correspond.
type groupMapping struct {
	groupBy []string
	columns []ankql.Aggregate
	keys    []fieldMapping // of groupBy
	values  []fieldMapping // of columns
}

var groupMappings sync.Map // reflect.Type → *groupMapping

func groupMappingOf(t reflect.Type) (*groupMapping, error) {
	if known, ok := groupMappings.Load(t); ok {
		return known.(*groupMapping), nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: %s is not a struct", schema.ErrInvalid, t)
	}
	m := &groupMapping{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("ankurah")
		if !ok || tag == "-" {
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("%w: %s.%s has a tag but is not exported", schema.ErrInvalid, t, f.Name)
		}
		c, err := codecOf(f.Type, &schema.Property{Name: f.Name})
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		field := fieldMapping{i, f.Name, c}
		column, isAggregate, err := aggregateOf(f.Name, tag)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		case isAggregate:
			m.columns, m.values = append(m.columns, column), append(m.values, field)
		default:
			m.groupBy, m.keys = append(m.groupBy, tag), append(m.keys, field)
		}
	}
	groupMappings.Store(t, m)
	return m, nil
}

// aggregateOf reads a tag like "sum(price)"; one without parentheses, except "count", is a
// path.
func aggregateOf(name, tag string) (a ankql.Aggregate, is bool, err error) {
	if tag == "count" {
		return ankql.Count(name), true, nil
	}
	function, rest, is := strings.Cut(tag, "(")
	path, closed := strings.CutSuffix(rest, ")")
	if !is {
		return a, false, nil
	}
	path = strings.TrimSpace(path)
	made := map[string]func(name, path string) ankql.Aggregate{
		"count": ankql.CountOf, "sum": ankql.Sum, "avg": ankql.Avg, "min": ankql.Min, "max": ankql.Max,
	}[strings.ToLower(strings.TrimSpace(function))]
	if made == nil || !closed || path == "" {
		return a, true, fmt.Errorf("%w: %q is none of count, count(path), count(distinct path), sum(path), avg(path), min(path), max(path)", schema.ErrInvalid, tag)
	}
	if distinct, ok := strings.CutPrefix(strings.ToLower(path), "distinct "); ok {
		path = strings.TrimSpace(path[len(path)-len(distinct):])
		a = made(name, path)
		a.Distinct = true
		return a, true, nil
	}
	return made(name, path), true, nil
}

func readGroups[R any](m *groupMapping, groups []*core.AggregateGroup) ([]R, error) {
	rows := make([]R, len(groups))
	for i, g := range groups {
		v := reflect.ValueOf(&rows[i]).Elem()
		if err := setAll(v, m.keys, g.Key); err != nil {
			return nil, err
		}
		if err := setAll(v, m.values, g.Values); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func setAll(v reflect.Value, fields []fieldMapping, values []value.Value) error {
	for i, f := range fields {
		if err := f.codec.set(v.Field(f.index), values[i]); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}
