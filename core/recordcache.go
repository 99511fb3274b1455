package core

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// recordCache keeps records that were stored last, so many and of so many bytes.
type recordCache struct {
	limits  *Limits
	records map[id.EntityID]cachedRecord
	bytes   int
}

type cachedRecord struct {
	record *proto.Record
	bytes  int
}

func newRecordCache(limits *Limits) recordCache {
	return recordCache{limits: limits, records: make(map[id.EntityID]cachedRecord)}
}

func (c *recordCache) get(e id.EntityID) (*proto.Record, bool) {
	r, ok := c.records[e]
	return r.record, ok
}

// put keeps a record, in place of others where there is no room: which ones hardly matters.
func (c *recordCache) put(e id.EntityID, r *proto.Record) {
	size := r.State.Size()
	c.drop(e)
	for victim := range c.records {
		if len(c.records) < c.limits.CachedRecords && c.bytes+size <= c.limits.CachedBytes {
			break
		}
		c.drop(victim)
	}
	c.records[e] = cachedRecord{r, size}
	c.bytes += size
}

func (c *recordCache) drop(e id.EntityID) {
	c.bytes -= c.records[e].bytes
	delete(c.records, e)
}

func (c *recordCache) clear() {
	clear(c.records)
	c.bytes = 0
}
