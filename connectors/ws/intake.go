package ws

import (
	"context"
	"slices"
	"sync"
)

// intake bounds the memory of large messages that are being received or worked on, over all
// connections of an endpoint, and what one address may take of it. What a message needs beyond
// that it waits for.
type intake struct {
	total, each int // bytes; of all, and of one address

	mu struct {
		sync.Mutex
		used    int
		by      map[string]int
		waiting []*claim
	}
}

// claim waits for its turn.
type claim struct {
	address string
	bytes   int
	granted chan struct{}
}

func newIntake(total int) *intake {
	in := &intake{total: total, each: total / 4}
	in.mu.by = make(map[string]int)
	return in
}

// take waits until so many bytes are there for an address.
func (in *intake) take(ctx context.Context, address string, bytes int) error {
	in.mu.Lock()
	if len(in.mu.waiting) == 0 && in.fitsLocked(address, bytes) {
		in.grantLocked(address, bytes)
		in.mu.Unlock()
		return nil
	}
	c := &claim{address: address, bytes: bytes, granted: make(chan struct{})}
	in.mu.waiting = append(in.mu.waiting, c)
	in.serveLocked() // those before it may wait for their own address alone
	in.mu.Unlock()
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if i := slices.Index(in.mu.waiting, c); i >= 0 {
		in.mu.waiting = slices.Delete(in.mu.waiting, i, i+1)
		return ctx.Err()
	}
	return nil // it was granted meanwhile
}

// give returns bytes.
func (in *intake) give(address string, bytes int) {
	if bytes == 0 {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mu.used -= bytes
	if in.mu.by[address] -= bytes; in.mu.by[address] == 0 {
		delete(in.mu.by, address)
	}
	in.serveLocked()
}

// serveLocked grants what waits, oldest first; who waits for room of its own address stops
// nobody else.
func (in *intake) serveLocked() {
	in.mu.waiting = slices.DeleteFunc(in.mu.waiting, func(c *claim) bool {
		if !in.fitsLocked(c.address, c.bytes) {
			return false
		}
		in.grantLocked(c.address, c.bytes)
		close(c.granted)
		return true
	})
}

// fitsLocked: an address that holds nothing may take what it needs, however little its share.
func (in *intake) fitsLocked(address string, bytes int) bool {
	of := in.mu.by[address]
	return (in.mu.used == 0 || in.mu.used+bytes <= in.total) && (of == 0 || of+bytes <= in.each)
}

func (in *intake) grantLocked(address string, bytes int) {
	in.mu.used += bytes
	in.mu.by[address] += bytes
}
