package kv

import (
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
)

// homeCache remembers which collection an entity is in. What it says stays true (K2),
// so nothing ever leaves it but for want of room: entries are in one of two
// generations, and when the young one is full, the old one is dropped for it.
type homeCache struct {
	mu struct {
		sync.Mutex
		young, old map[id.EntityID]string
		names      map[string]string // one copy of each collection's name
	}
	generation int // entries in one
}

func (c *homeCache) init(size int) {
	c.generation = size / 2
	c.mu.young = map[id.EntityID]string{}
	c.mu.names = map[string]string{}
}

// get returns the entity's collection, or "" if it is not remembered.
func (c *homeCache) get(entity id.EntityID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name, ok := c.mu.young[entity]; ok {
		return name
	}
	name, ok := c.mu.old[entity]
	if ok {
		c.rememberLocked(entity, name)
	}
	return name
}

// put remembers the entity's collection and returns its name.
func (c *homeCache) put(entity id.EntityID, collection []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, ok := c.mu.names[string(collection)]
	if !ok {
		name = string(collection)
		c.mu.names[name] = name
	}
	c.rememberLocked(entity, name)
	return name
}

func (c *homeCache) rememberLocked(entity id.EntityID, name string) {
	if c.generation <= 0 {
		return
	}
	if len(c.mu.young) >= c.generation {
		c.mu.old, c.mu.young = c.mu.young, make(map[id.EntityID]string, c.generation)
	}
	c.mu.young[entity] = name
}
