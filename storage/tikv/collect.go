package tikv

import (
	"context"
	"time"

	"github.com/tikv/client-go/v2/oracle"
)

// collect has the cluster forget old versions, from time to time, until the store is closed.
// Processes take turns.
func (s *store) collect() {
	for {
		select {
		case <-time.After(s.options.Keep / 4):
			s.collectOnce()
		case <-s.life.Done():
			return
		}
	}
}

// collectOnce does so unless another process is at it. Of what fails the next time is as good.
func (s *store) collectOnce() {
	ctx, cancel := context.WithTimeout(s.life, max(s.options.Keep/4, s.options.Timeout))
	defer cancel()
	unlock, err := s.tryLease(ctx, "collect")
	if err != nil || unlock == nil {
		return
	}
	defer unlock()
	n, err := s.now(ctx)
	if err != nil {
		return
	}
	before := oracle.ExtractPhysical(n.at) - s.options.Keep.Milliseconds()
	if _, err := s.client.GC(ctx, oracle.ComposeTS(before, 0)); err != nil && s.options.Log != nil && s.life.Err() == nil {
		s.options.Log.Warn("tikv: old versions were not collected", "error", err)
	}
}
