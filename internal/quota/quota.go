// Package quota bounds a sum, of bytes or of things under way, that many share.
//
// # Concurrency
//
// A Quota is for any number of goroutines. Who wants more than there is waits, in order; who
// waits for its own share stops nobody else.
package quota

import (
	"context"
	"slices"
	"sync"
)

// Quota is so many units, for all and for each of those who share them. Make one by New.
type Quota[K comparable] struct {
	total, each int

	mu struct {
		sync.Mutex
		used    int
		by      map[K]int
		waiting []*claim[K]
	}
}

// claim waits for its turn.
type claim[K comparable] struct {
	key     K
	units   int
	granted chan struct{}
}

// New returns a quota of total units, of which one key holds no more than each.
func New[K comparable](total, each int) *Quota[K] {
	q := &Quota[K]{total: total, each: each}
	q.mu.by = make(map[K]int)
	return q
}

// Take waits until there are so many units for a key, or ctx ends. Who holds nothing gets
// what it asks for, however little its share, and however little there is in all, when nobody
// else holds anything.
func (q *Quota[K]) Take(ctx context.Context, key K, units int) error {
	q.mu.Lock()
	c := &claim[K]{key: key, units: units, granted: make(chan struct{})}
	q.mu.waiting = append(q.mu.waiting, c)
	q.serveLocked() // those before it may wait for their own share alone
	q.mu.Unlock()
	select {
	case <-c.granted:
		return nil
	default:
	}
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.mu.waiting, c); i >= 0 {
		q.mu.waiting = slices.Delete(q.mu.waiting, i, i+1)
		q.serveLocked() // it may have stood before one that fits
		return ctx.Err()
	}
	return nil // it was granted meanwhile
}

// Give returns units of a key's.
func (q *Quota[K]) Give(key K, units int) {
	if units == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.used -= units
	if q.mu.by[key] -= units; q.mu.by[key] == 0 {
		delete(q.mu.by, key)
	}
	q.serveLocked()
}

// Used returns how many units are held.
func (q *Quota[K]) Used() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.used
}

// serveLocked grants what waits, oldest first. A claim that waits for others keeps those
// behind it waiting, so that a large one gets its turn.
func (q *Quota[K]) serveLocked() {
	full := false
	q.mu.waiting = slices.DeleteFunc(q.mu.waiting, func(c *claim[K]) bool {
		if of := q.mu.by[c.key]; full || of > 0 && of+c.units > q.each {
			return false
		}
		if q.mu.used > 0 && q.mu.used+c.units > q.total {
			full = true
			return false
		}
		q.mu.used += c.units
		q.mu.by[c.key] += c.units
		close(c.granted)
		return true
	})
}
