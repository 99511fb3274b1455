package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// message is one message of the DevTools protocol in either direction: a command or
// its reply (with an ID), or an event (with a Method only).
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

var errPipeClosed = errors.New("browsertest: the browser's pipe is closed")

// devtools speaks the protocol over a pair of pipes, messages being ended by a zero
// byte.
type devtools struct {
	out     *os.File
	in      *os.File
	onEvent func(message)
	done    chan struct{}

	mu struct {
		sync.Mutex
		lastID  int
		pending map[int]chan message
		closed  bool
	}
}

func newDevtools(out, in *os.File, onEvent func(message)) *devtools {
	d := &devtools{out: out, in: in, onEvent: onEvent, done: make(chan struct{})}
	d.mu.pending = map[int]chan message{}
	go d.read()
	return d
}

func (d *devtools) read() {
	defer close(d.done)
	r := bufio.NewReader(d.in)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			break
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		if m.ID == 0 {
			d.onEvent(m)
			continue
		}
		d.mu.Lock()
		reply := d.mu.pending[m.ID]
		delete(d.mu.pending, m.ID)
		d.mu.Unlock()
		if reply != nil {
			reply <- m
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.closed = true
	for id, reply := range d.mu.pending {
		close(reply)
		delete(d.mu.pending, id)
	}
}

// call sends a command to a session ("" is the browser) and decodes its result into
// result, unless that is nil.
func (d *devtools) call(ctx context.Context, session, method string, params, result any) error {
	m, err := d.roundTrip(ctx, session, method, params)
	if err == nil && m.Error != nil {
		err = errors.New(m.Error.Message)
	}
	if err == nil && result != nil {
		err = json.Unmarshal(m.Result, result)
	}
	if err != nil {
		return fmt.Errorf("browsertest: %s: %w", method, err)
	}
	return nil
}

func (d *devtools) roundTrip(ctx context.Context, session, method string, params any) (message, error) {
	encoded, err := json.Marshal(params)
	if err != nil {
		return message{}, err
	}
	reply, err := d.send(message{Session: session, Method: method, Params: encoded})
	if err != nil {
		return message{}, err
	}
	select {
	case m, ok := <-reply:
		if !ok {
			return message{}, errPipeClosed
		}
		return m, nil
	case <-ctx.Done():
		return message{}, context.Cause(ctx)
	}
}

// send writes a command and returns where its reply will be; the channel is closed if
// there will be none.
func (d *devtools) send(m message) (<-chan message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, errPipeClosed
	}
	d.mu.lastID++
	m.ID = d.mu.lastID
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	reply := make(chan message, 1)
	d.mu.pending[m.ID] = reply
	// Commands are small and the browser reads them at once, so that writing under the
	// lock, which keeps messages whole, does not wait.
	if _, err := d.out.Write(append(text, 0)); err != nil {
		delete(d.mu.pending, m.ID)
		return nil, err
	}
	return reply, nil
}

// close ends the conversation, which ends the browser.
func (d *devtools) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.closed {
		d.mu.closed = true
		_ = d.out.Close()
	}
}

// wait returns when everything that the browser said has been handed on; the browser
// has ended.
func (d *devtools) wait() {
	<-d.done
	_ = d.in.Close()
}
