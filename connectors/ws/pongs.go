package ws

import (
	"context"
	"time"
)

// Pings that are answered: so many at once, and so many a second. Answering more
// would let a peer choose what this side sends.
const (
	pongRate  = 10
	pongBurst = 100
)

// pongs decides which pings of a connection are answered. It belongs to the goroutine that
// reads.
type pongs struct {
	left float64
	at   time.Time
}

func newPongs() *pongs { return &pongs{left: pongBurst, at: time.Now()} }

// answer reports whether to answer another ping.
func (p *pongs) answer(context.Context, []byte) bool {
	now := time.Now()
	p.left = min(pongBurst, p.left+now.Sub(p.at).Seconds()*pongRate)
	p.at = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}
