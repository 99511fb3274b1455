package core

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// reading is a selection as one principal reads it: what it is true of, in which order, and
// which other entities have to do with that.
type reading struct {
	node       *Node
	principal  policy.Principal
	collection string
	sel        *ankql.Selection // checked and narrowed (prepare)
	reach      []reactor.Reach  // what it reads behind references; nil if it follows none
	trails     []trail          // where these lead
	support    []trail          // to what the rows are sent with
	unjudged   bool             // the agent is not asked about its rows

	loop *eyes // at the loop's last moment; belongs to the loop
}

// trail is references to follow one after the other.
type trail struct {
	path    ankql.Path // a property of the entity before
	targets []string   // the collection that each leads to, "" where the model does not say
}

func (n *Node) reading(p policy.Principal, collection string, sel *ankql.Selection) *reading {
	r := &reading{node: n, principal: p, collection: collection, sel: sel}
	for _, f := range sel.Fields() {
		r.reach = appendReach(r.reach, f, nil)
	}
	if len(r.reach) > 0 {
		r.support = supportOf(r)
	}
	if r.restricted() {
		r.reachScopes()
	}
	for _, x := range r.reach {
		t := trail{path: x.Path, targets: x.Targets}
		if !slices.ContainsFunc(r.trails, t.equal) {
			r.trails = append(r.trails, t)
		}
	}
	return r
}

func (t trail) equal(o trail) bool {
	return slices.Equal(t.path, o.path) && slices.Equal(t.targets, o.targets)
}

// appendReach appends what a field reads behind references, if it stands at the end of a
// trail (nil for none).
func appendReach(list []reactor.Reach, f *ankql.Field, at *trail) []reactor.Reach {
	steps := len(f.Targets)
	if steps > 0 && f.Type == "" {
		steps = len(f.Path) - 1 // what follows may be references as well
	}
	var x reactor.Reach
	if at != nil {
		x = reactor.Reach{Path: at.path, Targets: at.targets, Property: f.Path[0]}
		list = append(list, x)
	}
	for i := range steps {
		target := ""
		if i < len(f.Targets) {
			target, _ = unmarked(f.Targets[i])
		}
		x.Path = append(slices.Clip(x.Path), f.Path[i])
		x.Targets = append(slices.Clip(x.Targets), target)
		x.Property = f.Path[i+1]
		list = append(list, x)
	}
	return list
}

// reachScopes adds what decides whether the principal may see what the selection reads
// behind references: any property of it, as far as the agent's Read goes, and what the
// agent's scopes read.
func (r *reading) reachScopes() {
	for _, x := range slices.Clone(r.reach) {
		t := trail{path: x.Path, targets: x.Targets}
		any := x
		any.Property = ""
		r.reach = append(r.reach, any)
		for _, collection := range r.node.collectionsOf(x.Targets[len(x.Targets)-1]) {
			scope, err := r.node.scope(r.principal, collection)
			if err != nil || scope == nil {
				continue
			}
			for _, f := range scope.Fields() {
				r.reach = appendReach(r.reach, f, &t)
			}
		}
	}
}

// collectionsOf returns the collections that a reference may lead to.
func (n *Node) collectionsOf(target string) []string {
	if target != "" {
		return []string{target}
	}
	var list []string
	for _, m := range n.catalog.all() {
		if !strings.HasPrefix(m.Collection, "_") {
			list = append(list, m.Collection)
		}
	}
	return list
}

// restricted reports whether there may be entities that the principal does not see.
func (r *reading) restricted() bool {
	return len(r.reach) > 0 && r.node.opts.Durable && !policy.IsPermissive(r.node.policy)
}

// follows reports whether the selection reads behind references.
func (r *reading) follows() bool { return len(r.reach) > 0 }

// resolver returns what finds referenced entities at a moment; nil where none are read.
func (r *reading) resolver(at *moment) ankql.Resolver {
	switch {
	case !r.follows():
		return nil
	case !r.restricted():
		return at
	}
	return r.node.eyes(r.principal, at)
}

// now is resolver for what the loop shows at this moment.
func (r *reading) now() ankql.Resolver {
	if !r.restricted() {
		return r.resolver(r.node.shown)
	}
	if r.loop == nil || r.loop.at != r.node.shown {
		r.loop = r.node.eyes(r.principal, r.node.shown)
	}
	return r.loop
}

// watch has a watcher hear of the selection's rows.
func (r *reading) watch(w reactor.Follower) *reactor.Watch {
	switch {
	case !r.follows():
		return r.node.reactor.Watch(r.collection, r.sel, w)
	case !r.restricted():
		return r.node.reactor.Follow(r.collection, r.sel, w, r.reach, nil)
	}
	return r.node.reactor.Follow(r.collection, r.sel, w, r.reach, func(all ankql.Resolver) ankql.Resolver {
		return r.node.eyes(r.principal, all)
	})
}

// first runs a scan that is made while the selection is watched already. What follows
// references reads one moment: a row found by a mixture of two would be one that no change
// tells of.
func (r *reading) first(ctx context.Context, scan func(at *moment) error) error {
	if !r.follows() {
		return scan(r.node.present(ctx))
	}
	snap := r.node.open.begin(r.node.limits.SnapshotRecords)
	defer r.node.open.end(snap)
	err := scan(snap.at(ctx, r.node))
	if err != nil && snap.overfull() {
		// It says nothing about the selection: another time there may be less going on.
		err = &Error{Kind: KindDeadline, Err: fmt.Errorf("more than %d entities changed while rows were read", snap.limit)}
	}
	return err
}

// caughtUp returns, on the loop, what to apply of the changes that were published during the
// first scan: where references are followed, what the entities are now, since what these
// referred to when the changes were published is past.
func (r *reading) caughtUp(buffer []reactor.Change) []reactor.Change {
	if !r.follows() {
		return buffer
	}
	list := coalesce(buffer)
	for i := range list {
		c := &list[i]
		c.Stored = r.node.shown.record(c.Entity)
		if c.After = visible(c.Stored); c.Stored != nil {
			c.Rev = max(c.Rev, c.Stored.Rev)
		}
	}
	return list
}

// matches reports whether the selection is true of a row, and the principal sees it, with
// what references lead to found by from.
func (r *reading) matches(row *proto.Record, from ankql.Resolver) bool {
	return r.sel.MatchesWith(row, from) && r.permits(row)
}

// permits holds a row of the collection, of which the selection is true, against the agent.
func (r *reading) permits(row *proto.Record) bool {
	return r.seesAll() || r.node.policy.Read(r.principal, r.collection, row) == nil
}

// seesAll reports whether nothing but the selection decides which rows the principal sees.
func (r *reading) seesAll() bool {
	return r.unjudged || !r.node.opts.Durable || policy.IsPermissive(r.node.policy)
}

// scan returns up to limit rows (a negative one is none) of those that sort after the given
// key, in order, and whether there may be more.
func (r *reading) scan(at *moment, after []byte, limit int) (rows []*proto.Record, more bool, err error) {
	from := r.resolver(at)
	changed := at.changed()
	for {
		spare := len(changed)
		wide := limit
		if limit >= 0 {
			wide += spare
		}
		rows, more, err = r.present(at, from, after, wide)
		if err == nil {
			err = at.err
		}
		if err != nil {
			return nil, false, err
		}
		changed = at.changed()
		if at.past.overfull() {
			return nil, false, at.past.tooOld()
		}
		if limit < 0 || len(changed) <= spare {
			break
		} // else more has changed meanwhile than there is room for
	}
	if len(changed) > 0 {
		rows = r.replaced(rows, changed, from, after)
	}
	if limit >= 0 && len(rows) > limit {
		return rows[:limit], true, at.err
	}
	return rows, more, at.err
}

// changed returns the records of the moment that are not those of the present.
func (m *moment) changed() map[id.EntityID]*proto.Record {
	if m.past == nil {
		return m.own
	}
	m.past.mu.Lock()
	defer m.past.mu.Unlock()
	if len(m.past.old) == 0 {
		return m.own
	}
	list := make(map[id.EntityID]*proto.Record, len(m.past.old)+len(m.own))
	for e, r := range m.past.old {
		list[e] = r
	}
	for e, r := range m.own {
		list[e] = r
	}
	return list
}

// replaced returns the rows with those of changed entities as they were at the moment.
func (r *reading) replaced(rows []*proto.Record, changed map[id.EntityID]*proto.Record, from ankql.Resolver, after []byte) []*proto.Record {
	kept := make([]keyedRow, 0, len(rows))
	put := func(row *proto.Record) {
		key := r.sel.AppendSortKeyWith(nil, row, row.Entity, from)
		if bytes.Compare(key, after) > 0 {
			kept = append(kept, keyedRow{key, row})
		}
	}
	for _, row := range rows {
		if _, other := changed[row.Entity]; !other {
			put(row)
		}
	}
	for _, row := range changed {
		if row = visible(row); row != nil && row.Collection == r.collection && r.matches(row, from) {
			put(row)
		}
	}
	sortKeyed(kept)
	return rowsOf(kept)
}

// keyedRow is a record with its sort key.
type keyedRow struct {
	key []byte
	row *proto.Record
}

func sortKeyed(list []keyedRow) {
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i].key, list[j].key) < 0 })
}

func rowsOf(list []keyedRow) []*proto.Record {
	rows := make([]*proto.Record, len(list))
	for i := range list {
		rows[i] = list[i].row
	}
	return rows
}

// present is scan over what the node shows now. What it follows is found by from, though,
// and is as it was at the moment.
func (r *reading) present(at *moment, from ankql.Resolver, after []byte, limit int) ([]*proto.Record, bool, error) {
	where, err := r.local(at)
	if err != nil {
		return nil, false, err
	}
	s := &ankql.Selection{Where: where, Limit: ankql.NoLimit}
	if limit >= 0 && !slices.ContainsFunc(r.sel.Order, ankql.Order.FollowsReferences) {
		s.Order = r.sel.Order
		return r.inOrder(at, from, s, after, limit)
	}
	return r.sorted(at, from, s, after, limit)
}

// inOrder reads rows in an order that the engine knows, until there are enough.
func (r *reading) inOrder(at *moment, from ankql.Resolver, s *ankql.Selection, after []byte, limit int) (rows []*proto.Record, more bool, err error) {
	for len(rows) < limit {
		page, err := r.node.page(at.ctx, r.collection, s, after, min(limit-len(rows), storage.MaxPage))
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, r.matching(at, from, page.Records)...)
		if len(rows) > limit {
			return rows[:limit], true, nil
		}
		if !page.More {
			return rows, false, nil
		}
		after = page.Next
	}
	return rows, true, nil
}

// sorted reads all rows, by entity id, which every engine does at the cost of the answer,
// and keeps the first ones of the order.
func (r *reading) sorted(at *moment, from ankql.Resolver, s *ankql.Selection, after []byte, limit int) ([]*proto.Record, bool, error) {
	var list []keyedRow
	more := false
	var next []byte
	for {
		page, err := r.node.page(at.ctx, r.collection, s, next, storage.MaxPage)
		if err != nil {
			return nil, false, err
		}
		for _, row := range r.matching(at, from, page.Records) {
			key := r.sel.AppendSortKeyWith(nil, row, row.Entity, from)
			if bytes.Compare(key, after) > 0 {
				list = append(list, keyedRow{key, row})
			}
		}
		if limit >= 0 && len(list) > limit+storage.MaxPage {
			sortKeyed(list)
			clear(list[limit:])
			list, more = list[:limit], true
		}
		if !page.More {
			break
		}
		next = page.Next
	}
	sortKeyed(list)
	if limit >= 0 && len(list) > limit {
		list, more = list[:limit], true
	}
	return rowsOf(list), more, nil
}

// pages calls visit with all rows, some at a time, in order of entity ids.
func (r *reading) pages(at *moment, visit func(rows []*proto.Record)) error {
	return r.eachPage(at, func(rows []*proto.Record) error { visit(rows); return nil })
}

// each calls f with every row, in order of entity ids.
func (r *reading) each(at *moment, f func(*proto.Record) error) error {
	return r.eachPage(at, func(rows []*proto.Record) error {
		for _, row := range rows {
			if err := f(row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *reading) eachPage(at *moment, visit func(rows []*proto.Record) error) error {
	unordered := *r
	unordered.sel = &ankql.Selection{Where: r.sel.Where, Limit: ankql.NoLimit}
	var after []byte
	for {
		rows, more, err := unordered.scan(at, after, storage.MaxPage)
		if err != nil {
			return err
		}
		if err := visit(rows); err != nil {
			return err
		}
		if !more || len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].Entity.AppendTo(nil)
	}
}

// matching returns the rows of a page that the selection is true of and the principal sees.
func (r *reading) matching(at *moment, from ankql.Resolver, page []*proto.Record) []*proto.Record {
	if r.follows() {
		at.follow(page, r.trails)
	}
	kept := page[:0]
	for _, row := range page {
		if (!r.follows() || r.sel.MatchesWith(row, from)) && r.permits(row) {
			kept = append(kept, row)
		}
	}
	return kept
}

// maxTargets is up to how many referenced entities are looked for first.
const maxTargets = 256

// local returns what the engine can say of the selection: the part that follows no
// references, and where few entities can stand behind one, which these are.
func (r *reading) local(at *moment) (ankql.Expr, error) {
	if !r.follows() {
		return r.sel.Where, nil
	}
	if where, known := at.local[r]; known {
		return where, nil
	}
	where, err := r.narrow(at)
	if err == nil {
		if at.local == nil {
			at.local = make(map[*reading]ankql.Expr)
		}
		at.local[r] = where
	}
	return where, err
}

func (r *reading) narrow(at *moment) (ankql.Expr, error) {
	where := ankql.Local(r.sel.Where)
	if ids, _ := (&ankql.Selection{Where: where}).Entities(); ids != nil {
		return where, nil
	}
	var seen []string
	for _, t := range r.trails {
		if slices.Contains(seen, t.path[0]) {
			continue
		}
		seen = append(seen, t.path[0])
		targets, known, err := r.targets(at, t.path[0])
		if err != nil {
			return nil, err
		}
		if known {
			where = ankql.And(where, ankql.Naming(t.path[0], targets))
		}
	}
	return where, nil
}

// targets returns the entities that a row's reference can name if the row matches, where
// something is asked of them and they are few.
func (r *reading) targets(at *moment, reference string) (list []id.EntityID, known bool, err error) {
	collection, where := ankql.Behind(r.sel.Where, reference)
	if where == nil {
		return nil, false, nil
	}
	collection, _ = unmarked(collection)
	behind := r.node.reading(r.principal, collection, &ankql.Selection{Where: where, Limit: ankql.NoLimit})
	behind.unjudged = true
	rows, _, err := behind.scan(at, nil, maxTargets+1)
	if err != nil || len(rows) > maxTargets {
		return nil, false, err
	}
	for _, row := range rows {
		list = append(list, row.Entity)
	}
	return list, true, nil
}

// nobody is who reads for the node itself.
var nobody policy.Principal

// eyes is what one principal sees at a moment. It belongs to one goroutine at a time.
type eyes struct {
	node      *Node
	principal policy.Principal
	at        ankql.Resolver // that sees everything, and finds records
	judged    map[id.EntityID]bool
	scopes    map[string]scoped
}

type scoped struct {
	scope *ankql.Selection
	err   error
}

func (n *Node) eyes(p policy.Principal, at ankql.Resolver) *eyes {
	return &eyes{node: n, principal: p, at: at, judged: make(map[id.EntityID]bool), scopes: make(map[string]scoped)}
}

// Resolve implements ankql.Resolver: what the principal may not see is not there, except
// for the agent's own predicates.
func (v *eyes) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	name, trusted := unmarked(collection)
	fields, ok := v.at.Resolve(name, e)
	if !ok || trusted {
		return fields, ok
	}
	return fields, v.see(fields.(*proto.Record))
}

// see reports whether the principal may see a record of the moment.
func (v *eyes) see(r *proto.Record) bool {
	sees, known := v.judged[r.Entity]
	if !known {
		sees = v.judge(r) == nil
		v.judged[r.Entity] = sees
	}
	return sees
}

// judge holds a record against the policy. An agent that panics does not show it.
func (v *eyes) judge(r *proto.Record) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = recovered("judging a row", cause)
			v.node.opts.Listener.failed("policy", err)
		}
	}()
	s, known := v.scopes[r.Collection]
	if !known {
		s.scope, s.err = v.node.scope(v.principal, r.Collection)
		v.scopes[r.Collection] = s
	}
	switch {
	case s.err != nil:
		return s.err
	case s.scope != nil && !s.scope.MatchesWith(r, v.at):
		return ErrNotFound
	}
	return v.node.policy.Read(v.principal, r.Collection, r)
}

// An agent's predicates read behind references whatever the principal sees there: they say
// what may be seen, and are not subject to it. Their fields are marked by their targets.
const trustedMark = "!"

func marked(where ankql.Expr) ankql.Expr {
	return ankql.MapFields(where, func(f *ankql.Field) *ankql.Field {
		if !f.FollowsReferences() {
			return f
		}
		out := *f
		out.Targets = slices.Clone(f.Targets)
		if f.Type == "" {
			out.Targets = append(out.Targets, make([]string, len(f.Path)-1-len(f.Targets))...)
		}
		for i, target := range out.Targets {
			out.Targets[i] = trustedMark + target
		}
		return &out
	})
}

func unmarked(target string) (name string, trusted bool) {
	return strings.CutPrefix(target, trustedMark)
}
