package core

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
)

// bucket lets so many units through in a second, and a burst at once. It is a debt and not
// a store: whoever takes more than there is waits until it is paid, so that one frame which
// costs more than the burst gets through as well.
//
// The debt has an end, so that who comes again has not waited for hours, and nothing waits
// for a peer that has gone for long.
type bucket struct {
	rate, burst float64

	mu struct {
		sync.Mutex
		left float64
		at   time.Time // when left was so
	}
}

// maxDebt is how many bursts somebody may owe.
const maxDebt = 4

func newBucket(rate, burst int) *bucket {
	b := &bucket{rate: float64(rate), burst: float64(burst)}
	b.mu.left, b.mu.at = b.burst, time.Now()
	return b
}

// take takes n units and returns how long to wait for them.
func (b *bucket) take(n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.mu.left = min(b.burst, b.mu.left+now.Sub(b.mu.at).Seconds()*b.rate)
	b.mu.at = now
	b.mu.left = max(b.mu.left-float64(n), -maxDebt*b.burst)
	if b.mu.left >= 0 {
		return 0
	}
	return time.Duration(-b.mu.left / b.rate * float64(time.Second))
}

// rates are the buckets that the connections of one payer share. Debts outlive the
// connections.
type rates struct {
	mu     sync.Mutex
	shared map[string]*sharedBucket
	sweep  int // how many there may be before those that nobody needs are looked for
}

type sharedBucket struct {
	*bucket
	users int
}

// payer is who a connection belongs to where several share something: the principal, or, if
// that has no name, all from one address, or else, within a process, just this peer.
func payer(p policy.Principal, remote string, peer id.NodeID) string {
	if p.Name != "" {
		return "name " + p.Name
	}
	if host := hostOf(remote); host != "" {
		return "from " + host
	}
	return "peer " + peer.String()
}

// join returns the buckets for a connection, and what to call at its end.
func (r *rates) join(payer string, limits *Limits) (buckets []*bucket, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shared := r.shared[payer]
	if shared == nil {
		r.forgetLocked()
		shared = &sharedBucket{bucket: newBucket(limits.PrincipalRate, limits.PrincipalBurst)}
		r.shared[payer] = shared
	}
	shared.users++
	return []*bucket{newBucket(limits.Rate, limits.Burst), shared.bucket}, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		shared.users--
	}
}

// forgetLocked drops, now and then, the buckets that nobody uses and that are full again.
func (r *rates) forgetLocked() {
	if r.shared == nil {
		r.shared = make(map[string]*sharedBucket)
	}
	if len(r.shared) < r.sweep {
		return
	}
	for key, b := range r.shared {
		if b.users == 0 && b.full() {
			delete(r.shared, key)
		}
	}
	r.sweep = 2*len(r.shared) + 64
}

// full reports whether nothing is owed, and nothing was taken lately.
func (b *bucket) full() bool {
	b.take(0)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.left >= b.burst
}

// hostOf returns the host of an address with a port, or of one that is nothing but an IP
// address; "" for what comes from within the process.
func hostOf(remote string) string {
	i := strings.LastIndexByte(remote, ':')
	switch {
	case i < 0 && strings.Count(remote, ".") == 3:
		return remote
	case i < 0:
		return ""
	case strings.Count(remote, ":") > 1 && !strings.HasPrefix(remote, "["): // IPv6 without a port
		return remote
	}
	return remote[:i]
}

// costOf is how many units a frame of a peer takes: one for each event and, roughly, for
// each row that has to be looked at before anything is sent.
func costOf(f proto.Frame) int {
	switch m := f.(type) {
	case *proto.Commit:
		cost := 1
		for _, e := range m.Events {
			cost += 1 + e.EncodedSize()/256
		}
		return cost
	case *proto.Subscribe:
		return 20 + len(m.Known)/100
	case *proto.Aggregate:
		return 20
	case *proto.Get:
		return 1 + len(m.Entities)/10
	case *proto.Locate:
		return 20 + int(min(m.Index, 1<<24)/100)
	case *proto.History, *proto.AsOf:
		return 20
	case *proto.Attend:
		return 1 + len(m.State)/256
	case *proto.Register:
		return 10 * max(1, len(m.Models))
	}
	return 1
}

// throttle waits until the session may have something carried out that costs so much. Nothing
// more is read of the peer meanwhile, so that one who asks too much is slowed down and nobody
// else is.
func (s *session) throttle(ctx context.Context, cost int) error {
	pause := s.charge(cost)
	if pause == 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// charge takes units of the session's rates, and returns how long it will be until they are
// paid.
func (s *session) charge(units int) (pause time.Duration) {
	for _, b := range s.rates {
		pause = max(pause, b.take(units))
	}
	return pause
}
