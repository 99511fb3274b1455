package sim

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"
)

// Trace is what happened in a run. What happened at one moment has no order: goroutines of
// one machine may take turns as they like.
type Trace struct {
	mu     sync.Mutex
	began  time.Time
	digest uint64
	keep   int // how many lines are kept
	lines  []line
	at     time.Duration
	sum    uint64 // of the present moment
}

type line struct {
	at   time.Duration
	text string
}

func newTrace(keep int) *Trace { return &Trace{began: time.Now(), keep: keep} }

func (t *Trace) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Since(t.began); now != t.at {
		t.closeLocked()
		t.at = now
	}
	h := fnv.New64a()
	h.Write([]byte(text))
	t.sum += h.Sum64()
	t.keepLocked(text)
}

// detail keeps a line that is no part of the digest.
func (t *Trace) detail(text func() string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keep > 0 {
		t.keepLocked(text())
	}
}

func (t *Trace) keepLocked(text string) {
	if t.keep == 0 {
		return
	}
	if len(t.lines) >= 2*t.keep {
		t.lines = slices.Delete(t.lines, 0, t.keep)
	}
	t.lines = append(t.lines, line{time.Since(t.began), text})
}

// closeLocked adds the present moment to the digest.
func (t *Trace) closeLocked() {
	h := fnv.New64a()
	fmt.Fprintf(h, "%x %d %x", t.digest, t.at, t.sum)
	t.digest, t.sum = h.Sum64(), 0
}

// Digest returns a number that is the same for runs in which the same happened.
func (t *Trace) Digest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeLocked()
	return t.digest
}

// String returns the last lines.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	for _, l := range t.lines[max(0, len(t.lines)-t.keep):] {
		fmt.Fprintf(&b, "%12s %s\n", l.at.Round(time.Microsecond), l.text)
	}
	return b.String()
}
