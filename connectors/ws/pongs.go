package ws

import (
	"context"
	"errors"
	"time"

	"github.com/coder/websocket"
)

// Pings that are answered: so many at once, and so many a second. Answering more would let a
// peer choose what this side sends; a peer that sends many more is given up.
const (
	pongRate   = 10
	pongBurst  = 100
	pingsGiven = 5000 // that were not answered
)

// errTooManyPings ends a connection.
var errTooManyPings = errors.New("ws: the peer does nothing but ping")

// pongs decides which pings of a connection are answered. It belongs to the goroutine that
// reads.
type pongs struct {
	conn    *conn // set before anything is read; nil where that is not served
	left    float64
	at      time.Time
	ignored int
}

func newPongs() *pongs { return &pongs{left: pongBurst, at: time.Now()} }

// answer reports whether to answer another ping.
func (p *pongs) answer(context.Context, []byte) bool {
	now := time.Now()
	p.left = min(pongBurst, p.left+now.Sub(p.at).Seconds()*pongRate)
	p.at = now
	if p.left >= 1 {
		p.left--
		return true
	}
	if p.ignored++; p.ignored > pingsGiven && p.conn != nil {
		p.conn.end(ending{err: errTooManyPings, code: websocket.StatusPolicyViolation, text: "too many pings"})
	}
	return false
}
