package storage

import "context"

// Inbox is where the messages of other processes wait to be heard, for an engine that is a
// Broadcaster and gets them as they are sent. It is safe for concurrent use; one goroutine hears.
type Inbox struct {
	messages chan []byte
	lost     chan struct{} // has room for one: some are missing
}

// NewInbox returns an empty inbox with room for so many messages.
func NewInbox(room int) *Inbox {
	return &Inbox{messages: make(chan []byte, room), lost: make(chan struct{}, 1)}
}

// Put adds a message, which the inbox keeps. Where there is no room it is lost. It does not block.
func (b *Inbox) Put(message []byte) {
	select {
	case b.messages <- message:
	default:
		b.Lose()
	}
}

// Lose notes that messages may have been missed. It does not block.
func (b *Inbox) Lose() {
	select {
	case b.lost <- struct{}{}:
	default:
	}
}

// Hear is Broadcaster.Listen for what is put into the inbox.
func (b *Inbox) Hear(ctx context.Context, hear func(message []byte)) error {
	hear(nil)
	for {
		select {
		case m := <-b.messages:
			hear(m)
		case <-b.lost:
			hear(nil)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
