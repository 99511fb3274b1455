package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Keep copies the disk, so that it can be set back to that.
func (d *Disk) Keep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.copies = append(d.copies, d.medium.Copy())
}

// SetBack replaces what the disk holds with a copy of earlier, if there is one, and forgets the
// copies that are later. It returns both.
func (d *Disk) SetBack(rnd *rand.Rand) (now, earlier Medium) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.copies) == 0 {
		return d.medium, d.medium
	}
	i := rnd.IntN(len(d.copies))
	now, earlier = d.medium, d.copies[i]
	d.copies = d.copies[:i+1]
	d.medium = earlier.Copy()
	return now, earlier
}

// setBack stops a durable node and starts it over an earlier copy of its disk. What it has
// acknowledged since then is lost.
func (m *Machine) setBack(ctx context.Context, rnd *rand.Rand) {
	m.restart(duration(rnd, 10*time.Second), func() error {
		now, earlier := m.disk.SetBack(rnd)
		lost, err := m.world.ledger.difference(ctx, now, earlier)
		m.world.ledger.lose(lost)
		m.world.trace.add("%s is set back: transactions %v are lost", m.name, lost.list())
		return err
	})
}

// difference returns the transactions that one medium has and another has not.
func (l *ledger) difference(ctx context.Context, one, other Medium) (marks, error) {
	here, err := l.storedIn(ctx, one)
	if err != nil {
		return nil, err
	}
	there, err := l.storedIn(ctx, other)
	return here.without(there), err
}

// storedIn returns the transactions that a medium has.
func (l *ledger) storedIn(ctx context.Context, medium Medium) (set marks, err error) {
	engine, err := medium.Open()
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	l.mu.Lock()
	list := make([]id.EventID, 0, len(l.events))
	for x := range l.events {
		list = append(list, x)
	}
	l.mu.Unlock()
	for len(list) > 0 {
		page := list[:min(len(list), storage.MaxPage)]
		list = list[len(page):]
		events, err := engine.Events(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e != nil {
				set.add(markOf(e))
			}
		}
	}
	return set, nil
}

// lose notes that the durable node has lost transactions: nobody needs to show them any more.
// Those whose authors have not heard that they were acknowledged come again.
func (l *ledger) lose(lost marks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost.union(lost)
	l.doubted.union(lost)
}
