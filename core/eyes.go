package core

import (
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
)

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
