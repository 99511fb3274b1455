package reactor

import (
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// World is the entities around a transaction that is being published.
type World interface {
	// Before and After find the entities that references name, as they were before the
	// transaction and as they are after it.
	Before() ankql.Resolver
	After() ankql.Resolver
	// Ahead tells which references will be followed from the rows, before and after.
	Ahead(rows []*proto.Record, paths [][]string)
	// Referring calls visit, some rows at a time, with the entities of a collection ("" is
	// any) whose property names e after the transaction.
	Referring(collection, property string, e id.EntityID, visit func(rows []*proto.Record)) error
	// Err returns why something could not be found; it is looked at when all is done.
	Err() error
}

// Reach is something that a watch reads behind references: a property of the entities to
// which a path of references leads from the entities of the watched collection.
type Reach struct {
	Path    []string // a property of the entity before, step by step
	Targets []string // the collection that each step leads to; "" is any
	// Property is what is read there; "" is everything.
	Property string
}

// Follower is a watcher for what lies behind references.
type Follower interface {
	Watcher
	// Lost tells that references could not be followed: what the watch was told so far may
	// be short of something, and has to be read anew. No end of a transaction follows.
	Lost(watch *Watch, err error)
}

// Follow is Watch for a predicate that follows references, and for whoever shows rows by
// what lies behind them. Reach is all that this depends on, and sees makes, of a resolver
// that finds everything, one that finds what the watcher may see; it may be nil. The watcher
// is told of a change of what its rows refer to by a change of the row, which is the same
// before and after then.
func (r *Reactor) Follow(collection string, s *ankql.Selection, f Follower, reach []Reach, sees func(ankql.Resolver) ankql.Resolver) *Watch {
	return r.register(&r.mu.following, &Watch{collection: collection, where: s, watcher: f, reactor: r,
		behind: &behind{reach: reach, sees: sees, fields: make(map[string]*ankql.Field)}})
}

// Follows reports whether any watch follows references.
func (r *Reactor) Follows() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.mu.following) > 0
}

// behind is what a watch has to do with references.
type behind struct {
	reach  []Reach
	routes []*route // of reach
	sees   func(ankql.Resolver) ankql.Resolver
	fields map[string]*ankql.Field // the fields that flatten replaced
}

// flatten returns the predicate with a plain property in place of each field behind
// references: what such a field holds bounds the predicate like any other.
func (b *behind) flatten(where ankql.Expr) ankql.Expr {
	if where == nil {
		return nil
	}
	return ankql.MapFields(where, func(f *ankql.Field) *ankql.Field {
		if !f.FollowsReferences() {
			return f
		}
		name := strings.Join(f.Path, ".") + " through " + strings.Join(f.Targets, ".")
		flat := &ankql.Field{Path: ankql.Path{name}}
		b.fields[flat.Path.String()] = f
		return flat
	})
}

// field returns the field that stands in the predicate for one of a bound.
func (b *behind) field(f *ankql.Field) *ankql.Field {
	if b == nil {
		return f
	}
	if original, ok := b.fields[f.Path.String()]; ok {
		return original
	}
	return f
}

// route is a path of references from a collection, with what is read at its end.
type route struct {
	collection string
	path       []string
	targets    []string
	properties map[string]int // how many watches read each; "" is everything
	watches    int
	elsewhere  int // watches that the index does not find by what is at the end alone
}

// ends reports whether a field reads a property at the route's end.
func (rt *route) ends(f *ankql.Field) bool {
	return f != nil && f.Type != "" && len(f.Targets) == len(rt.path) && slices.Equal(f.Path[:len(rt.path)], rt.path)
}

// finds reports whether the index finds the watch by what is at the route's end.
func (rt *route) finds(w *Watch) bool {
	for i := range w.homes {
		if w.homes[i].Field == nil || !rt.ends(w.behind.field(w.homes[i].Field)) {
			return false
		}
	}
	return true
}

// routes has the routes by the collection that they lead to, "" for any.
type routes map[string]map[string]*route

func routeKey(collection string, x *Reach) string {
	return collection + " " + strings.Join(x.Path, ".") + " " + strings.Join(x.Targets, ".")
}

func (rs *routes) add(w *Watch) {
	if *rs == nil {
		*rs = make(routes)
	}
	w.behind.routes = make([]*route, len(w.behind.reach))
	for i := range w.behind.reach {
		x := &w.behind.reach[i]
		target := x.Targets[len(x.Targets)-1]
		if (*rs)[target] == nil {
			(*rs)[target] = make(map[string]*route)
		}
		key := routeKey(w.collection, x)
		rt := (*rs)[target][key]
		if rt == nil {
			rt = &route{collection: w.collection, path: x.Path, targets: x.Targets, properties: make(map[string]int)}
			(*rs)[target][key] = rt
		}
		rt.watches++
		if !rt.finds(w) {
			rt.elsewhere++
		}
		rt.properties[x.Property]++
		w.behind.routes[i] = rt
	}
}

func (rs routes) remove(w *Watch) {
	for i, rt := range w.behind.routes {
		x := &w.behind.reach[i]
		if rt.properties[x.Property]--; rt.properties[x.Property] == 0 {
			delete(rt.properties, x.Property)
		}
		if !rt.finds(w) {
			rt.elsewhere--
		}
		if rt.watches--; rt.watches > 0 {
			continue
		}
		target := x.Targets[len(x.Targets)-1]
		delete(rs[target], routeKey(w.collection, x))
		if len(rs[target]) == 0 {
			delete(rs, target)
		}
	}
}

// to returns the routes that lead to a collection, in a fixed order.
func (rs routes) to(collection string) (list []*route) {
	for _, target := range []string{collection, ""} {
		from := len(list)
		for _, key := range sortedKeys(rs[target]) {
			list = append(list, rs[target][key])
		}
		if collection == "" {
			return list[:from]
		}
	}
	return list
}

func sortedKeys(m map[string]*route) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// paths returns the paths by which watches of a collection follow references.
func (rs routes) paths(collection string) (list [][]string) {
	for _, group := range rs {
		for _, rt := range group {
			if rt.collection == collection {
				list = append(list, rt.path)
			}
		}
	}
	return list
}

// difference is what a change did to what a route reads at its end.
type difference struct {
	whole      bool // it came or went
	any        bool
	properties map[string]bool
}

func (rt *route) difference(c *Change) (d difference) {
	if (c.Before == nil) != (c.After == nil) {
		return difference{whole: true, any: true}
	}
	if c.Before == nil {
		return d
	}
	for name := range rt.properties {
		if name == "" {
			if !sameProperties(c.Before, c.After) {
				d.any = true
			}
			continue
		}
		if c.Before.Field(name) != c.After.Field(name) {
			if d.properties == nil {
				d.properties = make(map[string]bool)
			}
			d.any, d.properties[name] = true, true
		}
	}
	return d
}

func sameProperties(a, b *proto.Record) bool {
	return slices.EqualFunc(a.State.Properties, b.State.Properties, func(p, q proto.PropertyState) bool {
		return p.Name == q.Name && p.Value == q.Value
	})
}

// concerns reports whether the watch reads what changed at the end of a route.
func (b *behind) concerns(rt *route, d *difference) bool {
	for i := range b.routes {
		if b.routes[i] != rt {
			continue
		}
		if p := b.reach[i].Property; d.whole || p == "" || d.properties[p] {
			return true
		}
	}
	return false
}

// followed appends the watches that follow references and that the transaction concerns:
// by changes of their own rows, and then by changes of what these refer to. It reads from
// the world while it holds the lock, so that a watch is told of a transaction wholly or not
// at all; who registers meanwhile waits.
func (r *Reactor) followed(t *Transaction, touches []touch) []touch {
	from := len(touches)
	f := &following{reactor: r, transaction: t, world: t.World, touches: touches, sight: make(map[*Watch]*sight)}
	f.own()
	f.derived()
	if err := t.World.Err(); err != nil {
		for _, ix := range r.mu.following {
			f.lost = append(f.lost, ix.all()...)
		}
		slices.SortFunc(f.lost, bySeq)
		touches = f.touches[:from]
		for _, w := range f.lost {
			touches = append(touches, touch{watch: w, lost: err})
		}
		return touches
	}
	return f.touches
}

// following is one transaction held against the watches that follow references.
type following struct {
	reactor     *Reactor
	transaction *Transaction
	world       World
	touches     []touch
	sight       map[*Watch]*sight
	changed     map[id.EntityID]bool // the entities of the transaction
	told        map[telling]bool     // of derived changes
	changes     map[id.EntityID]*Change
	lost        []*Watch
}

// sight is what one watch may see.
type sight struct{ before, after ankql.Resolver }

// telling is that a watch is told of an entity.
type telling struct {
	watch  *Watch
	entity id.EntityID
}

func (f *following) sightOf(w *Watch) *sight {
	s := f.sight[w]
	if s == nil {
		s = &sight{f.world.Before(), f.world.After()}
		if w.behind.sees != nil {
			s.before, s.after = w.behind.sees(s.before), w.behind.sees(s.after)
		}
		f.sight[w] = s
	}
	return s
}

// own tells of the transaction's changes of watched rows.
func (f *following) own() {
	r := f.reactor
	rows := make(map[string][]*proto.Record)
	for i := range f.transaction.Changes {
		c := &f.transaction.Changes[i]
		if r.mu.following[c.Collection] == nil {
			continue
		}
		for _, row := range []*proto.Record{c.Before, c.After} {
			if row != nil {
				rows[c.Collection] = append(rows[c.Collection], row)
			}
		}
	}
	for collection, list := range rows {
		f.world.Ahead(list, r.mu.routes.paths(collection))
	}
	for i := range f.transaction.Changes {
		c := &f.transaction.Changes[i]
		if ix := r.mu.following[c.Collection]; ix != nil {
			for _, w := range f.candidates(ix, c) {
				f.touch(w, c)
			}
		}
	}
}

// candidates returns the watches that may be concerned by a change of a row.
func (f *following) candidates(ix *index, c *Change) []*Watch {
	if f.transaction.Loose {
		return ix.all()
	}
	return f.reactor.search.candidates(ix, c.Before, c.After, f.world)
}

func (f *following) touch(w *Watch, c *Change) {
	s := f.sightOf(w)
	before, after := w.hold(c, s.before, s.after, isLarge(c))
	if before || after || f.transaction.Loose {
		f.touches = append(f.touches, touch{watch: w, change: c, before: before, after: after})
	}
}

// derived tells of changes of what watched rows refer to.
func (f *following) derived() {
	r := f.reactor
	f.changed = make(map[id.EntityID]bool, len(f.transaction.Changes))
	for i := range f.transaction.Changes {
		f.changed[f.transaction.Changes[i].Entity] = true
	}
	for i := range f.transaction.Changes {
		c := &f.transaction.Changes[i]
		for _, rt := range r.mu.routes.to(c.Collection) {
			if d := rt.difference(c); d.any && f.awaited(rt, c) {
				f.back(rt, &d, len(rt.path)-1, c.Entity, make(map[id.EntityID]bool))
			}
		}
	}
}

// awaited reports whether any watch may be true of rows that refer to an entity by a route,
// before or after its change, by what it holds itself.
func (f *following) awaited(rt *route, c *Change) bool {
	ix := f.reactor.mu.following[rt.collection]
	if rt.elsewhere > 0 || f.transaction.Loose {
		return true
	}
	for _, sh := range ix.shelves {
		if !rt.ends(sh.field) {
			continue
		}
		if ix.blind > 0 && sh.finds(nullKey) {
			return true
		}
		end := &ankql.Field{Path: sh.field.Path[len(rt.path):], Type: sh.field.Type}
		for _, r := range []*proto.Record{c.Before, c.After} {
			v := value.Null
			if r != nil {
				v = end.Value(r, nil)
			}
			if sh.finds(value.AppendKey(nil, v, value.Ascending)) {
				return true
			}
		}
	}
	return false
}

// finds reports whether the shelf has any watch for a key.
func (sh *shelf) finds(key []byte) bool {
	found := len(sh.points[string(key)]) > 0
	if !found {
		sh.ranges.containing(key, func(*Watch) { found = true })
	}
	return found
}

// back goes a route backwards, from an entity at the end of the given step to the rows at
// its beginning. Where a reference on the way changed in the transaction too, that change
// leads to the rows by itself: so it is enough to go by what refers to what afterwards.
func (f *following) back(rt *route, d *difference, step int, e id.EntityID, seen map[id.EntityID]bool) {
	collection := rt.collection
	if step > 0 {
		collection = rt.targets[step-1]
	}
	var holders []*proto.Record
	err := f.world.Referring(collection, rt.path[step], e, func(rows []*proto.Record) {
		if step == 0 {
			f.rows(rt, d, rows)
			return
		}
		holders = append(holders, rows...)
	})
	if err != nil {
		return // World.Err has it
	}
	for _, row := range holders {
		if !seen[row.Entity] {
			seen[row.Entity] = true
			f.back(rt, d, step-1, row.Entity, make(map[id.EntityID]bool))
		}
	}
}

// rows tells of rows that refer, by a route, to something that changed.
func (f *following) rows(rt *route, d *difference, rows []*proto.Record) {
	ix := f.reactor.mu.following[rt.collection]
	f.world.Ahead(rows, f.reactor.mu.routes.paths(rt.collection))
	for _, row := range rows {
		if f.changed[row.Entity] {
			continue // it has been told of by itself
		}
		c := f.changes[row.Entity]
		if c == nil {
			c = &Change{Collection: rt.collection, Entity: row.Entity, Rev: row.Rev, Before: row, After: row, Stored: row}
		}
		for _, w := range f.candidates(ix, c) {
			key := telling{w, row.Entity}
			if f.told[key] || !w.behind.concerns(rt, d) {
				continue
			}
			touched := len(f.touches)
			f.touch(w, c)
			if len(f.touches) > touched {
				if f.told == nil {
					f.told, f.changes = make(map[telling]bool), make(map[id.EntityID]*Change)
				}
				f.told[key], f.changes[row.Entity] = true, c
			}
		}
	}
}

// all returns the watches of an index in the order of their registration.
func (ix *index) all() []*Watch {
	list := make([]*Watch, 0, len(ix.watches))
	for w := range ix.watches {
		list = append(list, w)
	}
	slices.SortFunc(list, bySeq)
	return list
}
