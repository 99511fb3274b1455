package ws

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"
)

// untaken is what a message may hold without having it of the intake.
const untaken = 16 << 10

// message reads the next one. It may take its time to begin, but not to end.
func (c *conn) message() (websocket.MessageType, message, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	kind, r, err := c.socket.Reader(ctx)
	if err != nil {
		return 0, message{}, err
	}
	late := time.AfterFunc(c.limits.ReadTimeout, func() {
		cancel(fmt.Errorf("a frame took longer than %s", c.limits.ReadTimeout))
	})
	defer late.Stop()
	m := message{frame: make([]byte, 0, 512)}
	for {
		if len(m.frame) == cap(m.frame) {
			if err := c.grow(ctx, &m); err != nil {
				return 0, m, cause(ctx, err)
			}
		}
		n, err := r.Read(m.frame[len(m.frame):cap(m.frame)])
		m.frame = m.frame[:len(m.frame)+n]
		if err == io.EOF {
			return kind, m, nil
		}
		if err != nil {
			return 0, m, cause(ctx, err)
		}
	}
}

func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// grow gives a message twice the room.
func (c *conn) grow(ctx context.Context, m *message) error {
	size := min(2*cap(m.frame), max(c.limits.MaxFrame, 1)+1)
	size = max(size, cap(m.frame)+1)
	if more := size - max(cap(m.frame), untaken); c.intake != nil && more > 0 {
		if err := c.take(ctx, more); err != nil {
			return err
		}
		m.taken += more
	}
	frame := make([]byte, len(m.frame), size)
	copy(frame, m.frame)
	m.frame = frame
	return nil
}

// take takes of the intake; what is taken when the connection ends is returned by then.
func (c *conn) take(ctx context.Context, bytes int) error {
	c.delivering.Store(true) // it reads no pong meanwhile
	defer c.delivering.Store(false)
	if err := c.intake.Take(ctx, c.from, bytes); err != nil {
		return err
	}
	c.taken.Lock()
	defer c.taken.Unlock()
	c.taken.all += bytes
	return nil
}

// workOn notes that a message is with the receiver, until that asks for another one.
func (c *conn) workOn(m message) []byte {
	c.taken.Lock()
	defer c.taken.Unlock()
	c.taken.working = m.taken
	return m.frame
}

// release gives back what the message took that the receiver is done with.
func (c *conn) release() {
	if c.intake == nil {
		return
	}
	c.taken.Lock()
	bytes := c.taken.working
	c.taken.all -= bytes
	c.taken.working = 0
	c.taken.Unlock()
	c.intake.Give(c.from, bytes)
}

// releaseAll gives back everything, when nothing of the connection runs any more.
func (c *conn) releaseAll() {
	if c.intake == nil {
		return
	}
	c.taken.Lock()
	bytes := c.taken.all
	c.taken.all, c.taken.working = 0, 0
	c.taken.Unlock()
	c.intake.Give(c.from, bytes)
}
