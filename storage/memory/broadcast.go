package memory

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
)

// heard is how many messages wait for a listener; beyond it they are lost.
const heard = 256

// listener is where an engine hears what others broadcast.
type listener struct {
	messages chan []byte
	lost     chan struct{} // messages were lost before those that wait
}

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
		if other == s || other.listening == nil {
			continue
		}
		select {
		case other.listening.messages <- bytes.Clone(message):
		default:
			select {
			case other.listening.lost <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

// Listen implements storage.Broadcaster.
func (s *Shared) Listen(ctx context.Context, hear func(message []byte)) error {
	l := &listener{messages: make(chan []byte, heard), lost: make(chan struct{}, 1)}
	s.disk.mu.Lock()
	s.listening = l
	s.disk.mu.Unlock()
	defer func() {
		s.disk.mu.Lock()
		defer s.disk.mu.Unlock()
		s.listening = nil
	}()
	hear(nil)
	for {
		select {
		case m := <-l.messages:
			hear(m)
		case <-l.lost:
			hear(nil)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
