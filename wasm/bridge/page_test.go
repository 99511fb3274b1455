package bridge_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var album = &schema.Model{Collection: "album", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "year", Type: schema.TypeInt, Optional: true},
	{Name: "plays", Type: schema.TypeInt, Optional: true, Default: value.Int(7)},
}}

// patience bounds only a failing run.
const patience = 20 * time.Second

// world is a durable node, and a bridge whose node is connected to it.
type world struct {
	t      testing.TB
	server *core.Node
	bridge *bridge.Bridge
	disk   *memory.Disk // of the bridge's node

	opening chan struct{} // if not nil, opening waits until it is closed

	mu    sync.Mutex
	nodes []*core.Node // that the bridge opened
}

func newWorld(t testing.TB, agent policy.Agent, limits bridge.Limits) *world {
	t.Helper()
	w := &world{t: t, disk: memory.NewDisk()}
	server, err := core.Open(t.Context(), core.Options{Engine: memory.New(), Durable: true, Policy: agent})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server = server
	w.bridge = bridge.New(bridge.Options{Open: w.open, Limits: limits, Failed: func(err error) { t.Logf("bridge: %v", err) }})
	t.Cleanup(func() {
		w.bridge.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// open opens the bridge's node; one whose URL is empty stays alone.
func (w *world) open(ctx context.Context, hello *frame.Hello) (*bridge.Opened, error) {
	if w.opening != nil {
		select {
		case <-w.opening:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	node, err := core.Open(ctx, core.Options{Engine: w.disk.Open()})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.nodes = append(w.nodes, node)
	w.mu.Unlock()
	opened := &bridge.Opened{Node: node, Storage: frame.StorageMemory, Warning: core.ErrOffline}
	if hello.URL == "nowhere" {
		opened.Dial = func(string) func() {
			link := node.Dial(nowhere{}, core.DialOptions{})
			return func() { link.Close() }
		}
	} else if hello.URL != "" {
		opened.Dial = func(token string) func() {
			dialer := local.NewDialer(w.server, local.Options{})
			link := node.Dial(dialer, core.DialOptions{Credentials: []byte(token)})
			return func() { link.Close(); dialer.Close() }
		}
	}
	return opened, nil
}

// nowhere is a server that is not there.
type nowhere struct{}

func (nowhere) Dial(context.Context) (connectors.Conn, error) { return nil, errors.New("refused") }
func (nowhere) String() string                                { return "nowhere" }

func (w *world) node() *core.Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[len(w.nodes)-1]
}

// row is a row as a page has it.
type row struct {
	entity id.EntityID
	sync   core.SyncState
	values []value.Value
}

// page is what a browser's page would be: it keeps its live results and, unless it is held,
// says what it has taken in.
type page struct {
	t       testing.TB
	session *bridge.Session

	mu       sync.Mutex
	changed  *sync.Cond
	log      []frame.Message
	frames   []int // sizes
	received uint64
	held     bool
	rows     map[uint64][]row
	parts    map[uint64][]frame.Change
	columns  map[uint64][]string
	status   map[uint64]frame.QueryStatus
	request  uint64
}

// visit opens a page without saying hello.
func (w *world) visit() *page {
	p := &page{
		t: w.t, rows: map[uint64][]row{}, parts: map[uint64][]frame.Change{},
		columns: map[uint64][]string{}, status: map[uint64]frame.QueryStatus{},
	}
	p.changed = sync.NewCond(&p.mu)
	p.session = w.bridge.Connect(p.take)
	return p
}

// join opens a page on the connected node, and waits until it is live.
func (w *world) join() *page {
	w.t.Helper()
	p := w.visit()
	if _, ok := p.ask(&frame.Hello{Request: p.next(), Name: "x", URL: "server", Models: []*schema.Model{album}}).(*frame.Opened); !ok {
		w.t.Fatal("hello was not answered by opened")
	}
	p.until("live", func() bool {
		return slices.ContainsFunc(p.log, func(m frame.Message) bool {
			s, ok := m.(*frame.Status)
			return ok && s.Connection == frame.Live && s.Ready
		})
	})
	return p
}

func (p *page) next() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.request++
	return p.request
}

// seen returns the messages that have come so far.
func (p *page) seen() []frame.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

func last(list []frame.Message) frame.Message { return list[len(list)-1] }

// take is called with each frame from the node.
func (p *page) take(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = append(p.frames, len(b))
	p.received += uint64(len(b))
	for m, err := range frame.DecodeAnswers(b) {
		if err != nil {
			p.t.Errorf("the node sent what cannot be read: %v", err)
			continue
		}
		p.log = append(p.log, m)
		if d, ok := m.(*frame.Delta); ok {
			p.delta(d)
		}
	}
	if !p.held {
		p.send(&frame.Received{Bytes: p.received})
	}
	p.changed.Broadcast()
}

// delta takes in a change set: its parts are shown together.
func (p *page) delta(d *frame.Delta) {
	if d.Columns != nil {
		p.columns[d.Query] = d.Columns
	}
	if d.Reset {
		p.rows[d.Query] = nil
	}
	p.parts[d.Query] = append(p.parts[d.Query], d.Changes...)
	if d.More {
		return
	}
	rows := p.rows[d.Query]
	for _, c := range p.parts[d.Query] {
		var before row
		if c.From >= 0 {
			if c.From >= len(rows) {
				p.t.Errorf("a row is taken from %d of %d", c.From, len(rows))
				return
			}
			before = rows[c.From]
			rows = slices.Delete(rows, c.From, c.From+1)
		}
		values := c.Values
		if values == nil {
			values = before.values // which are as they were
		}
		if c.To >= 0 {
			if c.To > len(rows) {
				p.t.Errorf("a row is put at %d of %d", c.To, len(rows))
				return
			}
			rows = slices.Insert(rows, c.To, row{c.Entity, c.Sync, values})
		}
	}
	p.rows[d.Query] = rows
	p.parts[d.Query] = nil
	p.status[d.Query] = d.Status
}

func (p *page) send(messages ...frame.Message) {
	b := frame.Begin(nil)
	for _, m := range messages {
		b = frame.AppendRequest(b, m)
	}
	p.session.Receive(b)
}

// hold makes the page take in nothing, so to say, until release.
func (p *page) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = true
}

func (p *page) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	p.send(&frame.Received{Bytes: p.received})
}

// until waits until f, which sees the page's state, is true.
func (p *page) until(what string, f func() bool) {
	p.t.Helper()
	failed := false
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		failed = true
		p.changed.Broadcast()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !f() {
		if failed {
			p.t.Fatalf("never: %s", what)
		}
		p.changed.Wait()
	}
}

// answerTo returns the last answer to a request, or nil; the caller holds mu.
func (p *page) answerTo(request uint64) frame.Message {
	for _, m := range slices.Backward(p.log) {
		if r, ok := m.(frame.Request); ok && r.ID() == request {
			return m
		}
	}
	return nil
}

// ask sends a request, after others messages, and returns its last answer.
func (p *page) ask(messages ...frame.Message) frame.Message {
	p.t.Helper()
	request := messages[len(messages)-1].(frame.Request).ID()
	p.send(messages...)
	var answer frame.Message
	p.until("an answer", func() bool {
		answer = p.answerTo(request)
		rows, ok := answer.(*frame.Rows)
		return answer != nil && (!ok || !rows.More)
	})
	return answer
}

// refused asks what must fail, and returns why it did.
func (p *page) refused(messages ...frame.Message) frame.Error {
	p.t.Helper()
	answer := p.ask(messages...)
	failed, ok := answer.(*frame.Failed)
	if !ok {
		p.t.Fatalf("answered by %T, not by an error", answer)
	}
	return failed.Err
}

func albumRow(name string, year int64) []value.Value {
	return []value.Value{value.String(name), value.Int(year)}
}

// create returns the message that creates albums in a transaction.
func (p *page) create(tx uint64, rows ...[]value.Value) *frame.Create {
	return &frame.Create{Request: p.next(), Tx: tx, Collection: "album", Columns: []string{"name", "year"}, Rows: rows}
}

// commitAlbums creates albums in one transaction and returns their ids.
func (p *page) commitAlbums(tx uint64, rows ...[]value.Value) []id.EntityID {
	p.t.Helper()
	create := p.create(tx, rows...)
	commit := &frame.Commit{Request: p.next(), Tx: tx}
	if m := p.ask(create, commit); m != nil {
		if failed, ok := m.(*frame.Failed); ok {
			p.t.Fatalf("commit: %s: %s", failed.Err.Code, failed.Err.Message)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answerTo(create.Request).(*frame.Created).Entities
}

// fetch reads all rows of a selection.
func (p *page) fetch(text string) []row {
	p.t.Helper()
	request := p.next()
	answer := p.ask(&frame.Fetch{Request: request, Collection: "album", Text: text})
	if failed, ok := answer.(*frame.Failed); ok {
		p.t.Fatalf("fetch: %s: %s", failed.Err.Code, failed.Err.Message)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var rows []row
	for _, m := range p.log {
		if part, ok := m.(*frame.Rows); ok && part.Request == request {
			for _, r := range part.Rows {
				rows = append(rows, row{r.Entity, r.Sync, r.Values})
			}
		}
	}
	return rows
}

func names(rows []row) []string {
	var list []string
	for _, r := range rows {
		name, _ := r.values[0].AsString()
		list = append(list, name)
	}
	return list
}

// shows waits until a live query shows the given names.
func (p *page) shows(query uint64, want ...string) {
	p.t.Helper()
	p.until("the right rows", func() bool { return slices.Equal(names(p.rows[query]), want) })
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
