package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// Plan is one run.
type Plan struct {
	Seed    uint64
	Clients int
	Steps   int
	Faults  Faults
	Disks   float64 // the probability that a call of any node's storage fails
	Send    int     // frames that the durable node queues for a client; 0 is its default
}

// Model is what the simulated applications keep.
var Model = &schema.Model{Collection: "note", Properties: []schema.Property{
	{Name: "title", Type: schema.TypeString},
	{Name: "rank", Type: schema.TypeInt, Optional: true},
	{Name: "tag", Type: schema.TypeString, Optional: true},
	{Name: "meta", Type: schema.TypeJSON, Optional: true},
	{Name: "next", Type: schema.TypeRef, Target: "note", Optional: true},
}}

// texts are selections that the clients keep open in each run, besides random ones.
var texts = []string{"", "rank > 50", "tag = 'a' ORDER BY rank DESC LIMIT 5", "rank <= 30 OR tag IS NULL ORDER BY title", "ORDER BY rank LIMIT 3"}

// system is a durable node and its clients.
type system struct {
	plan    Plan
	rnd     *rand.Rand
	net     *Network
	disks   *Disks
	disk    *memory.Disk
	clients []*client
	notes   []id.EntityID

	gen        *ankqltest.Gen     // of values and selections that meet each other
	selections []*ankql.Selection // what the clients keep open

	mu     sync.Mutex // guards what follows; dialers and watchers read it
	server *core.Node // changed by the run alone
	acked  map[id.TransactionID]write
}

// setServer changes which node is dialled; nil is none.
func (s *system) setServer(n *core.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server = n
}

type client struct {
	system  *system
	disk    *memory.Disk
	node    *core.Node
	queries []*core.LiveQuery // nil where a selection is not open

	mu     sync.Mutex
	shown  [][]id.EntityID // of each query, by its change sets
	faulty error           // a change set that does not fit
}

// followed returns what the change sets of a query add up to.
func (c *client) followed(i int) ([]id.EntityID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown[i], c.faulty
}

// write is an acknowledged creation.
type write struct{ entity id.EntityID }

// refusing is the policy: titles that say so are refused.
type refusing struct{ policy.Agent }

func (refusing) Write(_ policy.Principal, w policy.Write) error {
	if title, _ := w.After.Field("title").AsString(); title == "refuse" {
		return policy.Denied("the title says so")
	}
	return nil
}

// Run plays a plan to its end and returns what does not hold, or nil. It must be called
// inside a synctest bubble.
func Run(ctx context.Context, plan Plan) error {
	s := &system{plan: plan, rnd: rand.New(rand.NewPCG(plan.Seed, 2)), disk: memory.NewDisk(),
		net: NewNetwork(plan.Seed, plan.Faults), disks: NewDisks(plan.Seed, plan.Disks), acked: make(map[id.TransactionID]write)}
	defer s.close()
	if err := s.choose(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	for range plan.Clients {
		c := &client{system: s, disk: memory.NewDisk()}
		if err := c.start(ctx); err != nil {
			return err
		}
		s.clients = append(s.clients, c)
	}
	s.disks.Switch(true)
	for range plan.Steps {
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return s.settle(ctx)
}

// randomSelections is how many selections of a run are random.
const randomSelections = 5

// choose chooses the selections of the run.
func (s *system) choose() error {
	s.gen = ankqltest.New(s.plan.Seed)
	s.gen.World = ankqltest.NewWorld(ankqltest.Schema{Model.Collection: Model})
	s.gen.References = true
	for _, text := range texts {
		sel, err := ankql.Parse(text)
		if err != nil {
			return err
		}
		s.selections = append(s.selections, sel)
	}
	for range randomSelections {
		s.selections = append(s.selections, s.gen.Selection(Model.Collection))
	}
	return nil
}

func (s *system) close() {
	for _, c := range s.clients {
		c.node.Close()
	}
	if s.server != nil {
		s.server.Close()
	}
}

// start opens the durable node over what its disk holds.
func (s *system) start(ctx context.Context) error {
	n, err := core.Open(ctx, core.Options{Engine: s.disks.Wrap(s.disk.Open()), Durable: true,
		Policy: refusing{policy.Permissive()}, Limits: core.Limits{SendQueue: s.plan.Send}})
	if err != nil {
		return err
	}
	s.setServer(n)
	if _, ok := n.System(); !ok {
		if err := n.CreateSystem(ctx); err != nil {
			return err
		}
	}
	return n.Register(ctx, Model)
}

// start opens a client over what its disk holds, and some of the selections.
func (c *client) start(ctx context.Context) error {
	n, err := core.Open(ctx, core.Options{Engine: c.system.disks.Wrap(c.disk.Open())})
	if err != nil {
		return err
	}
	c.node = n
	if err := n.Register(ctx, Model); err != nil {
		return err
	}
	n.Dial(c.system.net.Dialer(func() local.Server {
		c.system.mu.Lock()
		defer c.system.mu.Unlock()
		if c.system.server == nil {
			return nil
		}
		return c.system.server
	}), core.DialOptions{})
	selections := c.system.selections
	c.queries, c.shown = make([]*core.LiveQuery, len(selections)), make([][]id.EntityID, len(selections))
	first := c.system.rnd.IntN(len(selections))
	for i, sel := range selections {
		if i != first && c.system.rnd.IntN(2) == 0 {
			continue
		}
		q, err := n.Context(policy.Principal{}).Query("note", sel)
		if err != nil {
			return err
		}
		q.Subscribe(func(set *core.ChangeSet) { c.follow(i, set) })
		c.queries[i] = q
	}
	return nil
}

// follow applies a change set as a receiver would; it runs on the node's loop.
func (c *client) follow(i int, set *core.ChangeSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := c.shown[i]
	for _, x := range set.Changes {
		if x.From >= 0 {
			if x.From >= len(rows) || rows[x.From] != x.Entity {
				c.faulty = fmt.Errorf("query %d: change %v takes away another row", i, x)
				return
			}
			rows = slices.Delete(slices.Clone(rows), x.From, x.From+1)
		}
		if x.To >= 0 {
			rows = slices.Insert(slices.Clone(rows), x.To, x.Entity)
		}
	}
	c.shown[i] = rows
}

// step does one random thing.
func (s *system) step(ctx context.Context) error {
	switch roll := s.rnd.IntN(100); {
	case roll < 3:
		s.net.Partition()
		time.AfterFunc(time.Duration(s.rnd.Int64N(int64(30*time.Second))), s.net.Join)
	case roll < 5:
		s.disks.Switch(false) // whoever cannot start is no part of the system
		defer s.disks.Switch(true)
		return s.restartServer(ctx)
	case roll < 8:
		s.disks.Switch(false)
		defer s.disks.Switch(true)
		c := s.clients[s.rnd.IntN(len(s.clients))]
		c.node.Close()
		return c.start(ctx)
	case roll < 20:
		time.Sleep(time.Duration(s.rnd.Int64N(int64(5 * time.Second))))
	default:
		return s.edit(ctx)
	}
	return nil
}

func (s *system) restartServer(ctx context.Context) error {
	s.net.Partition()
	s.server.Close()
	s.setServer(nil)
	time.Sleep(time.Duration(s.rnd.Int64N(int64(10 * time.Second))))
	if err := s.start(ctx); err != nil {
		return err
	}
	s.net.Join()
	return nil
}

// edit commits a random transaction on a random node.
func (s *system) edit(ctx context.Context) error {
	node := s.server
	if i := s.rnd.IntN(len(s.clients) + 1); i > 0 {
		node = s.clients[i-1].node
	}
	tx := node.Context(policy.Principal{}).Begin()
	defer tx.Rollback()
	var created []id.EntityID
	for range 1 + s.rnd.IntN(3) {
		e, err := s.change(ctx, tx)
		if err != nil {
			return err
		}
		if !e.IsZero() {
			created = append(created, e)
		}
	}
	receipt, err := tx.Commit(ctx)
	switch core.KindOf(err) {
	case core.KindDenied, core.KindNotFound:
		return nil // refused, or made on top of something that was meanwhile
	case core.KindStorage, core.KindQuota:
		return nil // the disk; whether it happened may be unknown
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.notes = append(s.notes, created...)
	for _, e := range created {
		s.gen.World.Put(&ankqltest.Row{Collection: Model.Collection, ID: e})
	}
	if len(created) > 0 {
		s.mu.Lock()
		s.acked[receipt.Transaction()] = write{created[0]}
		s.mu.Unlock()
		go s.watch(receipt)
	}
	return nil
}

// watch strikes a transaction off when it is refused.
func (s *system) watch(r *core.Receipt) {
	if err := r.Synced(context.Background()); err != nil && core.KindOf(err) != core.KindClosed {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.acked, r.Transaction())
	}
}

func (s *system) change(ctx context.Context, tx *core.Tx) (created id.EntityID, err error) {
	title := fmt.Sprintf("t%d", s.rnd.IntN(1000))
	if s.rnd.IntN(25) == 0 {
		title = "refuse"
	}
	if len(s.notes) < 5 || s.rnd.IntN(4) == 0 {
		return tx.Create(ctx, "note", []proto.Field{{Name: "title", Value: value.String(title)}, {Name: "rank", Value: value.Int(s.rnd.Int64N(100))}})
	}
	e := s.notes[s.rnd.IntN(len(s.notes))]
	switch s.rnd.IntN(7) {
	case 0:
		err = tx.Delete(ctx, "note", e)
	case 1:
		err = tx.Set(ctx, "note", e, []proto.Field{{Name: "tag", Value: value.String(string("abc"[s.rnd.IntN(3)]))}, {Name: "title", Value: value.String(title)}})
	case 2:
		p := &Model.Properties[1+s.rnd.IntN(len(Model.Properties)-1)]
		err = tx.Set(ctx, "note", e, []proto.Field{{Name: p.Name, Value: s.gen.Value(p)}})
	case 3:
		err = tx.Restore(ctx, "note", e)
	default:
		err = tx.Set(ctx, "note", e, []proto.Field{{Name: "rank", Value: value.Int(s.rnd.Int64N(100))}})
	}
	switch core.KindOf(err) {
	case core.KindNotFound, core.KindOffline, core.KindDeadline, core.KindStorage:
		return created, nil // it is not here, or gone
	}
	return created, err
}

// settle heals everything, waits until nothing moves, and checks what must hold then.
func (s *system) settle(ctx context.Context) error {
	s.net.Heal()
	s.disks.Switch(false)
	calm := 0 // seconds; what is under way arrives within a few
	for range 600 {
		time.Sleep(time.Second)
		if calm++; !s.quiet() {
			calm = 0
		}
		if calm == 10 {
			return s.check(ctx)
		}
	}
	for i, c := range s.clients {
		st := c.node.Status()
		if st.Connection != core.Live || st.Pending != 0 {
			return fmt.Errorf("client %d does not settle: %v, %d pending, %v", i, st.Connection, st.Pending, st.LastError)
		}
		for j, q := range c.queries {
			if q != nil && q.Status() != core.QueryLive {
				return fmt.Errorf("client %d, query %s does not settle: %v, %v", i, s.selections[j], q.Status(), q.Err())
			}
		}
	}
	return nil
}

func (s *system) quiet() bool {
	for _, c := range s.clients {
		if st := c.node.Status(); st.Connection != core.Live || st.Pending != 0 {
			return false
		}
		for _, q := range c.queries {
			if q != nil && q.Status() != core.QueryLive {
				return false
			}
		}
	}
	return true
}

func (s *system) check(ctx context.Context) error {
	for i, sel := range s.selections {
		want, err := s.server.Context(policy.Principal{}).Fetch(ctx, "note", sel)
		if err != nil {
			return err
		}
		for j, c := range s.clients {
			followed, err := c.followed(i)
			if err != nil {
				return fmt.Errorf("client %d: %w", j, err)
			}
			if c.queries[i] == nil {
				continue
			}
			if err := same(c.queries[i].Rows(), want, followed); err != nil {
				return fmt.Errorf("client %d, query %s: %w", j, sel, err)
			}
		}
	}
	return s.nothingLost(ctx)
}

// same compares a live result, and what its change sets add up to, with the durable
// node's answer.
func same(got, want []*core.View, followed []id.EntityID) error {
	if len(got) != len(want) || len(followed) != len(want) {
		return fmt.Errorf("%d rows, %d by change sets, want %d%s", len(got), len(followed), len(want), extra(got, want))
	}
	for k := range want {
		if got[k].ID() != want[k].ID() || followed[k] != want[k].ID() {
			return fmt.Errorf("row %d is %s, by change sets %s, want %s", k, got[k].ID(), followed[k], want[k].ID())
		}
		if !got[k].State().Head.Equal(want[k].State().Head) {
			return fmt.Errorf("row %d: head %v, want %v", k, got[k].State().Head, want[k].State().Head)
		}
		for _, p := range Model.Properties {
			if got[k].Field(p.Name) != want[k].Field(p.Name) {
				return fmt.Errorf("row %d: %s is %v, want %v", k, p.Name, got[k].Field(p.Name), want[k].Field(p.Name))
			}
		}
		if got[k].Pending() {
			return fmt.Errorf("row %d is still pending", k)
		}
	}
	return nil
}

// extra names the rows that only one side has.
func extra(got, want []*core.View) (text string) {
	list := func(label string, a, b []*core.View) {
		for _, v := range a {
			if !slices.ContainsFunc(b, func(w *core.View) bool { return w.ID() == v.ID() }) {
				text += fmt.Sprintf("; %s %s: %+v", label, v.ID(), v.State())
			}
		}
	}
	list("extra", got, want)
	list("missing", want, got)
	return text
}

// nothingLost checks that every creation that was committed and not refused is there,
// and that no refused one is.
func (s *system) nothingLost(ctx context.Context) error {
	engine := s.disk.Open()
	defer engine.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := make(map[id.TransactionID]bool)
	for _, c := range s.clients {
		list, err := c.node.Rejections(ctx)
		if err != nil {
			return err
		}
		for _, r := range list {
			refused[r.Transaction] = true
		}
	}
	for tx, w := range s.acked {
		records, err := engine.Records(ctx, []id.EntityID{w.entity})
		if err != nil {
			return err
		}
		if (records[0] == nil) != refused[tx] {
			return fmt.Errorf("transaction %s: refused %v, stored %v", tx, refused[tx], records[0] != nil)
		}
	}
	return nil
}
