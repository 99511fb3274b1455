package sim

import (
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// marks is a set of transactions, by their marks.
type marks []uint64

func (m marks) has(mark int) bool { return mark/64 < len(m) && m[mark/64]&(1<<(mark%64)) != 0 }

func (m *marks) add(mark int) {
	for len(*m) <= mark/64 {
		*m = append(*m, 0)
	}
	(*m)[mark/64] |= 1 << (mark % 64)
}

func (m *marks) remove(mark int) {
	if mark/64 < len(*m) {
		(*m)[mark/64] &^= 1 << (mark % 64)
	}
}

// one is the set of one mark.
func one(mark int) (m marks) {
	m.add(mark)
	return m
}

// union adds all of o.
func (m *marks) union(o marks) {
	for i, word := range o {
		if i == len(*m) {
			*m = append(*m, 0)
		}
		(*m)[i] |= word
	}
}

// without returns those of m that are in none of the others.
func (m marks) without(others ...marks) marks {
	rest := slices.Clone(m)
	for _, o := range others {
		for i := range min(len(rest), len(o)) {
			rest[i] &^= o[i]
		}
	}
	return rest
}

func (m marks) empty() bool { return !slices.ContainsFunc(m, func(w uint64) bool { return w != 0 }) }

// list returns the marks in ascending order.
func (m marks) list() (list []int) {
	for i, word := range m {
		for ; word != 0; word &= word - 1 {
			list = append(list, i*64+bits.TrailingZeros64(word))
		}
	}
	return list
}

// transaction is what the simulated applications know of one of theirs.
type transaction struct {
	mark     int
	origin   *Machine
	entities []id.EntityID
	creates  []item
	ids      []id.TransactionID // the last is the present one; a retry gives another

	committed bool // Commit has returned nil
	acked     bool // its author was told that a durable node has it
	refused   bool // its author was told that it was refused
	dismissed bool // and has perhaps forgotten it, or tried again without learning how that went
	told      map[id.TransactionID]verdict
	settled   time.Time // when its author was told of its end, the last time
}

// item is an entity that an application made.
type item struct {
	collection string
	id.EntityID
}

// made reports whether the transaction creates an entity.
func (t *transaction) made(e id.EntityID) bool {
	return slices.ContainsFunc(t.creates, func(x item) bool { return x.EntityID == e })
}

// ledger is what everybody did, and which events that made.
type ledger struct {
	mu      sync.Mutex
	list    []*transaction // by mark, from 1
	byID    map[id.TransactionID]*transaction
	open    marks // Commit has not returned nil: nobody needs to show them
	doubted marks // perhaps refused: likewise
	lost    marks // the durable node has had them, and was set back; all of these are doubted
	events  map[id.EventID]*event
	touches map[touch][]id.EventID // several where they were made again
	items   []item                 // that were created by transactions that have been committed
}

// touch is what a transaction does to an entity.
type touch struct {
	mark   int
	entity id.EntityID
}

// event is one event that was seen on its way to a disk.
type event struct {
	mark    int // 0 for none
	entity  id.EntityID
	parents proto.Clock
	writes  []proto.Field
	past    marks // its own and those of all that it was made on top of; nil before it is needed
}

func newLedger() *ledger {
	return &ledger{list: make([]*transaction, 1), byID: make(map[id.TransactionID]*transaction), events: make(map[id.EventID]*event),
		touches: make(map[touch][]id.EventID)}
}

// begin enters a transaction.
func (l *ledger) begin(origin *Machine, tx id.TransactionID) *transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &transaction{mark: len(l.list), origin: origin, ids: []id.TransactionID{tx}, told: make(map[id.TransactionID]verdict)}
	l.list = append(l.list, t)
	l.byID[tx] = t
	l.open.add(t.mark)
	return t
}

// commit notes that Commit has returned nil.
func (l *ledger) commit(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.committed = true
	l.open.remove(t.mark)
	l.items = append(l.items, t.creates...)
}

// touch notes that a transaction creates or changes an entity. One that changes what the author
// made in a transaction that a durable node has refused meanwhile, which the author has not heard
// of yet, will go with that.
func (l *ledger) touch(t *transaction, e item, created bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.entities = append(t.entities, e.EntityID)
	if slices.ContainsFunc(l.list[1:], func(of *transaction) bool {
		return of.origin == t.origin && l.doubted.has(of.mark) && of.made(e.EntityID)
	}) {
		l.doubtLocked(t)
	}
	if created {
		t.creates = append(t.creates, e)
	}
}

// refuse notes that Commit has refused a transaction.
func (l *ledger) refuse(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.refused = true
}

// doubts reports whether a transaction has perhaps been refused.
func (l *ledger) doubts(t *transaction) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doubted.has(t.mark)
}

// retry notes that a refused transaction was made again under another id.
func (l *ledger) retry(t *transaction, tx id.TransactionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.ids = append(t.ids, tx)
	l.byID[tx] = t
	t.refused = false
	l.doubted.remove(t.mark)
}

// dismiss notes that a rejection was dismissed.
func (l *ledger) dismiss(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.dismissed = true
}

// ack notes that a durable node has said that it has a transaction.
func (l *ledger) ack(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ackLocked(t)
}

func (l *ledger) ackLocked(t *transaction) {
	t.acked = true
	if !l.lost.has(t.mark) {
		l.doubted.remove(t.mark)
	}
}

// doubt notes that a durable node refuses a transaction. Its author has not heard of it, and
// where it never does, may send it again to be accepted. What the author made on entities that
// the transaction would have created goes with it.
func (l *ledger) doubt(tx id.TransactionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.byID[tx]; t != nil && !t.acked {
		l.doubtLocked(t)
	}
}

func (l *ledger) doubtLocked(t *transaction) {
	l.doubted.add(t.mark)
	for _, later := range l.list[1:] {
		if later.origin == t.origin && !l.doubted.has(later.mark) && slices.ContainsFunc(later.entities, t.made) {
			l.doubtLocked(later)
		}
	}
}

// tell notes that a node, in one of its lives, told its application of a transaction's end.
// After a restart, or where its storage has failed, it may tell once more of what was
// acknowledged.
func (l *ledger) tell(s core.Settled, life int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.byID[s.Transaction]
	if t == nil {
		return nil
	}
	before, again := t.told[s.Transaction]
	if again && !(before.Err == nil && l.lost.has(t.mark)) && (before.Err != nil || s.Err != nil || before.life == life && !t.origin.memory.unsure()) {
		return fmt.Errorf("I8: transaction %d was told of twice: %v, then %v", t.mark, before.Err, s.Err)
	}
	t.told[s.Transaction], t.settled = verdict{s, life}, time.Now()
	if s.Err == nil {
		l.ackLocked(t)
	} else {
		t.refused = true
		l.doubtLocked(t)
	}
	return nil
}

// verdict is what a node told of a transaction, in one of its lives.
type verdict struct {
	core.Settled
	life int
}

// unsettledLocked reports whether one of the transactions has not come to an end that its author
// was told of a minute ago: rows that it has changed may still be on their way.
func (l *ledger) unsettledLocked(of marks) bool {
	return slices.ContainsFunc(of.list(), func(mark int) bool {
		settled := l.list[mark].settled
		return settled.IsZero() || time.Since(settled) < time.Minute
	})
}

// learn takes note of the events of a batch that is on its way to a disk.
func (l *ledger) learn(b *storage.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range b.Events {
		l.learnLocked(e)
	}
	for _, entry := range b.Outbox {
		if entry.Data == nil {
			continue
		}
		if f, err := proto.DecodeFrame(entry.Data); err == nil {
			if c, ok := f.(*proto.Commit); ok {
				for _, e := range c.Events {
					l.learnLocked(e)
				}
			}
		}
	}
}

func (l *ledger) learnLocked(e *proto.Event) {
	if l.events[e.ID] != nil {
		return
	}
	x := &event{mark: markOf(e), entity: e.Entity, parents: e.Parents}
	for _, op := range e.Operations {
		x.writes = append(x.writes, proto.Field{Name: op.Property, Value: written(op)})
	}
	l.events[e.ID] = x
	key := touch{x.mark, e.Entity}
	l.touches[key] = append(l.touches[key], e.ID)
}

// markOf reads the mark that an event writes, 0 for none.
func markOf(e *proto.Event) int {
	for _, op := range e.Operations {
		if op.Property == markProperty {
			n, _ := written(op).AsInt()
			return int(n)
		}
	}
	return 0
}

// written returns what an operation writes.
func written(op proto.Operation) value.Value {
	if kind, ok := entity.KindByCode(op.Kind); ok {
		if v, whole, err := kind.Written(op); err == nil && whole {
			return v
		}
	}
	return value.Null
}

// includedLocked returns the marks that a head includes; ok is false where an event of its
// past has not been seen.
func (l *ledger) includedLocked(head proto.Clock) (set marks, ok bool) {
	for _, x := range head {
		past, known := l.pastLocked(x)
		if !known {
			return nil, false
		}
		if len(head) == 1 {
			return past, true
		}
		set.union(past)
	}
	return set, true
}

func (l *ledger) pastLocked(x id.EventID) (marks, bool) {
	e := l.events[x]
	if e == nil {
		return nil, false
	}
	if e.past == nil {
		past := marks{0}
		for _, parent := range e.parents {
			of, ok := l.pastLocked(parent)
			if !ok {
				return nil, false
			}
			past.union(of)
		}
		if e.mark > 0 {
			past.add(e.mark)
		}
		e.past = past
	}
	return e.past, true
}

// missingLocked returns those of the marks that a row ought to show and does not: neither what
// the transaction wrote, nor what was written over it, nor the same as it wrote. A row is not
// told of events that change nothing to be seen.
func (l *ledger) missingLocked(row *core.View, of marks) (missing marks) {
	for _, mark := range of.list() {
		if !l.hiddenLocked(row, mark) {
			missing.add(mark)
		}
	}
	return missing
}

// hiddenLocked reports whether there is nothing to be seen on a row of what a transaction
// wrote: greater events wrote over it, or it was there already.
func (l *ledger) hiddenLocked(row *core.View, mark int) bool {
	return slices.ContainsFunc(l.touches[touch{mark, row.ID()}], func(x id.EventID) bool {
		return !slices.ContainsFunc(l.events[x].writes, func(f proto.Field) bool {
			return writerOf(row, f.Name).Compare(x.ULID) < 0 && plain(row.State().Field(f.Name)) != plain(f.Value) && !l.rewrittenLocked(row, x, f.Name)
		})
	})
}

// rewrittenLocked reports whether a greater event than x wrote what a row shows of a property:
// then a row that has shown the same all along is not told of either.
func (l *ledger) rewrittenLocked(row *core.View, x id.EventID, property string) bool {
	shown := plain(row.State().Field(property))
	for other, e := range l.events {
		if e.entity == row.ID() && other.Compare(x.ULID) > 0 &&
			slices.ContainsFunc(e.writes, func(f proto.Field) bool { return f.Name == property && plain(f.Value) == shown }) {
			return true
		}
	}
	return false
}

// plain is a value as it shows: what was never deleted is not deleted.
func plain(v value.Value) value.Value {
	if b, ok := v.AsBool(); ok && !b {
		return value.Null
	}
	return v
}

// known returns the entities that committed transactions have created.
func (l *ledger) known() []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.items)
}

// find returns the transaction with an id, or nil.
func (l *ledger) find(tx id.TransactionID) *transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[tx]
}

// all returns the transactions in order of their marks.
func (l *ledger) all() []*transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list[1:])
}

// explainLocked describes a row and the transactions that are in question.
func (l *ledger) explainLocked(row *core.View, about marks) string {
	text := fmt.Sprintf("row of %s, head %v, pending: %v, deleted: %v", row.Collection(), row.State().Head, row.Pending(), row.State().Deleted())
	for i := range row.State().Properties {
		p := &row.State().Properties[i]
		text += fmt.Sprintf("\n  %s = %v by %s", p.Name, p.Value, writerOf(row, p.Name))
	}
	for _, mark := range about.list() {
		t := l.list[mark]
		text += fmt.Sprintf("\ntransaction %d of %s: committed %v, acknowledged %v, refused %v, doubted %v, told %d times; on %v",
			mark, t.origin.name, t.committed, t.acked, t.refused, l.doubted.has(mark), len(t.told), t.entities)
		for x, e := range l.events {
			if e.mark == mark {
				text += fmt.Sprintf("\n  event %s of %s on %v: %v", x, e.entity, e.parents, e.writes)
			}
		}
	}
	return text
}

// writerOf returns the event that has written a property of a row, zero for none.
func writerOf(row *core.View, property string) id.ULID {
	for i := range row.State().Properties {
		if p := &row.State().Properties[i]; p.Name == property {
			u, _ := id.FromBytes(p.Data)
			return u
		}
	}
	return id.ULID{}
}
