package core

import (
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/policy"
)

// tabulations is the aggregates that a node keeps true. Equal ones are one.
type tabulations struct {
	mu struct {
		sync.Mutex
		open map[string]*tabulation
	}
	distant map[string][]*distant // an ephemeral node's, by collection; belongs to the loop
}

// acquire returns the tabulation for an aggregation, opened if there is none, and has it
// observed until release.
func (s *tabulations) acquire(n *Node, p policy.Principal, collection string, of *ankql.Aggregation, o observer) (*tabulation, error) {
	t, fresh := s.find(n, p, collection, of, func(t *tabulation) { t.mu.observers = append(t.mu.observers, o) })
	if fresh && !n.loop.post(t.start) {
		t.release(o)
		return nil, ErrClosed
	}
	return t, nil
}

// find returns the tabulation for an aggregation with something done to it, under its lock,
// that keeps it open.
func (s *tabulations) find(n *Node, p policy.Principal, collection string, of *ankql.Aggregation, join func(*tabulation)) (t *tabulation, fresh bool) {
	key := ""
	if view, ok := n.viewOf(p); ok {
		key = collection + "\n" + view + "\n" + of.Key()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.mu.open[key]; t != nil && key != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		join(t)
		return t, false
	}
	t = &tabulation{node: n, collection: collection, of: of, key: key, backoff: backoff{limits: &n.limits}}
	t.rows = n.reading(p, collection, of.Selection())
	t.mu.shown = make(map[string]*aggregate.Group)
	if !n.opts.Durable && !t.rows.ownOnly() {
		t.afar = newDistant(t)
	}
	if n.opts.Durable {
		t.holding = n.durable.keeping()
	}
	join(t)
	if key != "" {
		if s.mu.open == nil {
			s.mu.open = make(map[string]*tabulation)
		}
		s.mu.open[key] = t
	}
	return t, true
}

// viewOf names what a principal sees beyond what selections are narrowed by; ok is false
// if nobody else's view is known to be the same.
func (n *Node) viewOf(p policy.Principal) (view string, ok bool) {
	if !n.opts.Durable {
		return "", true
	}
	return policy.AudienceOf(n.policy, p)
}

// forget has the next who asks for a tabulation that failed get a new one.
func (s *tabulations) forget(t *tabulation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(t)
}

// forgetLocked has the next who asks get a new tabulation.
func (s *tabulations) forgetLocked(t *tabulation) {
	if t.key != "" && s.mu.open[t.key] == t {
		delete(s.mu.open, t.key)
	}
}
