package paged

import "container/list"

// cache keeps pages that were used lately, up to a number of bytes.
type cache struct {
	limit int
	bytes int
	pages map[string]*list.Element // by low
	used  list.List                // of *cached, the last used in front
}

type cached struct {
	low   string
	block *block
}

func newCache(limit int) *cache {
	return &cache{limit: limit, pages: map[string]*list.Element{}}
}

func (c *cache) get(low []byte) *block {
	e := c.pages[string(low)]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*cached).block
}

func (c *cache) put(low []byte, b *block) {
	c.remove(low)
	p := &cached{string(low), b}
	c.pages[p.low] = c.used.PushFront(p)
	c.bytes += b.size()
	for c.bytes > c.limit && c.used.Len() > 1 {
		c.removeElement(c.used.Back())
	}
}

func (c *cache) remove(low []byte) {
	if e := c.pages[string(low)]; e != nil {
		c.removeElement(e)
	}
}

func (c *cache) removeElement(e *list.Element) {
	p := c.used.Remove(e).(*cached)
	delete(c.pages, p.low)
	c.bytes -= p.block.size()
}
