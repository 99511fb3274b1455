package memory

import (
	"maps"
	"slices"
)

// Copy returns a disk with what d holds now, as a backup has it: later changes of either are
// not seen in the other.
func (d *Disk) Copy() *Disk {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := NewDisk()
	for collection, records := range d.mu.records {
		c.mu.records[collection] = maps.Clone(records)
	}
	for entity, events := range d.mu.history {
		c.mu.history[entity] = slices.Clone(events)
	}
	for feed, entries := range d.mu.feeds {
		c.mu.feeds[feed] = slices.Clone(entries)
	}
	c.mu.home, c.mu.events, c.mu.meta = maps.Clone(d.mu.home), maps.Clone(d.mu.events), maps.Clone(d.mu.meta)
	c.mu.outbox = slices.Clone(d.mu.outbox)
	return c
}
