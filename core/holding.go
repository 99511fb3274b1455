package core

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ankurah-go/ankurah/proto"
)

// holdings is what a durable node keeps in memory for its peers from one change to the next:
// the rows of windows, the groups of aggregates, histories that are being read. What several
// peers share counts for each payer that has a part in it.
type holdings struct {
	limits *Limits
	mu     sync.Mutex
	all    int64            // bytes
	by     map[string]int64 // by payer
}

// holding is one of these things. Its methods are for any goroutine.
type holding struct {
	of *holdings
	// Guarded by of.mu.
	bytes int64
	parts map[string]int // how many have a part in it, by payer
}

// keeping is a holding as those see it who do not serve peers, where there is one.
type keeping interface {
	join(payer string) error
	leave(payer string)
	grow(bytes int) error
	become(bytes int, shown bool) (over map[string]error)
	size() int
}

// errCrowded: it says nothing about what was asked for. Another time there may be room.
var errCrowded = errors.New("this node keeps too much for all of its peers; another time there may be room")

// leastHeld is what each payer may have kept however much it is in all.
const leastHeld = 1 << 20

// refusalLocked says why a payer may not have anything more.
func (h *holdings) refusalLocked(payer string) error {
	switch own := h.by[payer]; {
	case own > int64(h.limits.HeldBytes):
		return fmt.Errorf("%w: what is kept for the live results of one user takes more than %d bytes; a window with fewer rows takes less", ErrLimit, h.limits.HeldBytes)
	case own > leastHeld && h.all > int64(h.limits.HeldTotal):
		return &Error{Kind: KindDeadline, Err: errCrowded}
	}
	return nil
}

func (h *holdings) addLocked(payer string, bytes int64) {
	if h.by == nil {
		h.by = make(map[string]int64)
	}
	h.all += bytes
	if h.by[payer] += bytes; h.by[payer] == 0 {
		delete(h.by, payer)
	}
}

// used returns what is kept in all, in bytes.
func (h *holdings) used() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// begin returns a holding of nothing yet, in which payers have a part.
func (h *holdings) begin(payers ...string) *holding {
	x := &holding{of: h, parts: make(map[string]int)}
	for _, payer := range payers {
		x.parts[payer] = 1
	}
	return x
}

// join gives a payer a part, if there is room for it. Each part is given back by leave.
func (x *holding) join(payer string) error {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	if x.parts[payer]++; x.parts[payer] > 1 {
		return nil
	}
	x.of.addLocked(payer, x.bytes)
	err := x.of.refusalLocked(payer)
	if err != nil {
		x.leaveLocked(payer)
	}
	return err
}

func (x *holding) leave(payer string) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.leaveLocked(payer)
}

func (x *holding) leaveLocked(payer string) {
	if x.parts[payer]--; x.parts[payer] > 0 {
		return
	}
	delete(x.parts, payer)
	x.of.addLocked(payer, -x.bytes)
}

// grow notes that it takes so many bytes more than before. It fails where that is too much
// for one of those that have a part.
func (x *holding) grow(bytes int) error {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.growLocked(int64(bytes))
	for payer := range x.parts {
		if err := x.of.refusalLocked(payer); err != nil {
			return err
		}
	}
	return nil
}

func (x *holding) growLocked(bytes int64) {
	x.bytes += bytes
	for payer := range x.parts {
		x.of.addLocked(payer, bytes)
	}
}

// size returns how much it takes.
func (x *holding) size() int {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	return int(x.bytes)
}

// become notes that it takes so many bytes by now, and returns those for whom that is too
// much. What is shown already is not taken away because there is much in all; what is being
// made is.
func (x *holding) become(bytes int, shown bool) (over map[string]error) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	grown := int64(bytes) > x.bytes
	x.growLocked(int64(bytes) - x.bytes)
	for payer := range x.parts {
		if err := x.of.refusalLocked(payer); grown && err != nil && (!shown || errors.Is(err, ErrLimit)) {
			if over == nil {
				over = make(map[string]error)
			}
			over[payer] = err
		}
	}
	return over
}

func rowsSize(rows []*proto.Record) (bytes int) {
	for _, r := range rows {
		bytes += heldSize(r)
	}
	return bytes
}

// heldSize is about how many bytes a row takes that is kept.
func heldSize(r *proto.Record) int { return pendingSize + r.State.Size() }
