package memory

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
)

// heardAhead is how many messages wait for a listener; beyond it they are lost.
const heardAhead = 256

var _ storage.Broadcaster = (*Shared)(nil)

// Broadcast implements storage.Broadcaster.
func (s *Shared) Broadcast(ctx context.Context, message []byte) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	s.disk.mu.RUnlock()
	if len(message) > storage.MaxBroadcast {
		return fmt.Errorf("memory: a broadcast of %d bytes, more than %d", len(message), storage.MaxBroadcast)
	}
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, alive := d.mu.sharers[s]; !alive {
		return storage.ErrFenced
	}
	for other := range d.mu.sharers {
		if other != s && other.inbox != nil {
			other.inbox.Put(bytes.Clone(message))
		}
	}
	return nil
}

// Listen implements storage.Broadcaster.
func (s *Shared) Listen(ctx context.Context, hear func(message []byte)) error {
	inbox := storage.NewInbox(heardAhead)
	s.listenBy(inbox)
	defer s.listenBy(nil)
	return inbox.Hear(ctx, hear)
}

func (s *Shared) listenBy(inbox *storage.Inbox) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.inbox = inbox
}
