package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
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
	restated   bool             // it asks for the rows' Sync, which no engine keeps

	sizes *pager // of its scans one after the other; may be nil
	loop  *eyes  // at the loop's last moment; belongs to the loop
}

// trail is references to follow one after the other.
type trail struct {
	path    ankql.Path // a property of the entity before
	targets []string   // the collection that each leads to, "" where the model does not say
}

func (n *Node) reading(p policy.Principal, collection string, sel *ankql.Selection) *reading {
	r := &reading{node: n, principal: p, collection: collection, sel: sel, restated: sel.AsksSync()}
	for _, f := range sel.Fields() {
		r.reach = appendReach(r.reach, f, nil)
	}
	if len(r.reach) > 0 {
		r.support = supportOf(r)
	}
	if r.restricted() {
		r.reachScopes()
	}
	r.reach = distinct(r.reach)
	for _, x := range r.reach {
		t := trail{path: x.Path, targets: x.Targets}
		if !slices.ContainsFunc(r.trails, t.equal) {
			r.trails = append(r.trails, t)
		}
	}
	return r
}

// distinct returns each of a list once.
func distinct(list []reactor.Reach) (once []reactor.Reach) {
	seen := make(map[string]bool, len(list))
	for _, x := range list {
		key := strings.Join(x.Path, "\x00") + "\x01" + strings.Join(x.Targets, "\x00") + "\x01" + x.Property
		if !seen[key] {
			seen[key] = true
			once = append(once, x)
		}
	}
	return once
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
		if !strings.HasPrefix(m.Collection, schema.ReservedPrefix) {
			list = append(list, m.Collection)
		}
	}
	return list
}

// restricted reports whether there may be entities that the principal does not see.
func (r *reading) restricted() bool {
	return len(r.reach) > 0 && r.node.opts.Durable && !policy.IsPermissive(r.node.policy)
}

// unkept reports whether an engine can say only a part of the selection.
func (r *reading) unkept() bool { return r.follows() || r.restated }

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
