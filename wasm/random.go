package main

import (
	"crypto/rand"
	"io"
	"sync"
)

// randomPool hands out random bytes from a supply that it asks the system for in bulk: in a
// browser each time is a call into JavaScript, which costs more than minting an event does.
type randomPool struct {
	mu     sync.Mutex
	supply [4096]byte
	left   int // unused bytes, at the end of supply
}

// Read implements io.Reader; it fills b and never fails.
func (p *randomPool) Read(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(b) {
		if p.left == 0 {
			if _, err := io.ReadFull(rand.Reader, p.supply[:]); err != nil {
				return n, err
			}
			p.left = len(p.supply)
		}
		from := p.supply[len(p.supply)-p.left:]
		k := copy(b[n:], from)
		clear(from[:k]) // what was handed out is nobody else's
		p.left -= k
		n += k
	}
	return n, nil
}
