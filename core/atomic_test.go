package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// moments are what a peer of the wire is shown: after each whole update, its rows.
type moments struct {
	t     *testing.T
	w     *wire
	years map[id.EntityID]string
	parts int // updates that went on in another one
}

// receive takes what comes for as long as anything does, and calls check where the peer would
// show what it has.
func (m *moments) receive(check func()) {
	m.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		b, err := m.w.conn.Receive(ctx)
		cancel()
		if err != nil {
			return
		}
		f, err := proto.DecodeFrame(b)
		if err != nil {
			m.t.Fatal(err)
		}
		u, ok := f.(*proto.Update)
		if !ok {
			continue
		}
		for _, c := range u.Changes {
			for _, p := range c.Properties {
				if p.Name == "year" {
					m.years[c.Entity] = p.Value.String()
				}
			}
		}
		if u.More {
			m.parts++
			continue
		}
		check()
	}
}

// TestSlowPeerIsShownWholeMoments: a peer that was too slow for its updates is told of what it
// missed as one change, over all of its subscriptions and in as many frames as that takes.
func TestSlowPeerIsShownWholeMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pairs = 1200
		server := durable(t, core.Options{Limits: core.Limits{SendQueue: 2}})
		var here, there []id.EntityID
		tx := anonymous(server).Begin()
		for range pairs {
			here = append(here, must(tx.Create(t.Context(), "album", with("name", "here", "year", 0))))
			there = append(there, must(tx.Create(t.Context(), "album", with("name", "there", "year", 0))))
		}
		if _, err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		w, _ := greeted(t, server)
		w.send(&proto.Subscribe{Sub: 1, Collection: "album", Text: "name = 'here'"})
		w.send(&proto.Subscribe{Sub: 2, Collection: "album", Text: "name = 'there'"})
		for range 2 {
			for !until[*proto.Rows](w).Done {
			}
		}
		synctest.Wait()
		m := &moments{t: t, w: w, years: make(map[id.EntityID]string)}
		shown := 0
		whole := func() {
			shown++
			for i := range pairs {
				if m.years[here[i]] != m.years[there[i]] {
					t.Fatalf("moment %d: pair %d is of %s and %s", shown, i, m.years[here[i]], m.years[there[i]])
				}
			}
		}
		for year := range 3 * pairs {
			tx := anonymous(server).Begin()
			for _, e := range []id.EntityID{here[year%pairs], there[year%pairs]} {
				if err := tx.Set(t.Context(), "album", e, with("year", year)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if year == pairs/2 {
				m.receive(whole)
			}
		}
		m.receive(whole)
		if shown < 4 || shown > pairs || m.parts == 0 {
			t.Errorf("%d moments, %d parts of others", shown, m.parts)
		}
		for i := range pairs {
			if want := fmt.Sprint(2*pairs + i); m.years[here[i]] != want {
				t.Fatalf("pair %d ends as of %s, want %s", i, m.years[here[i]], want)
			}
		}
	})
}

// TestAnswersBehindWhatGrows: a peer that is slow is told of a row that comes in what waits for it
// already, in front of an answer that says that the row is not there. The answer does not say so
// any more when its turn has come.
func TestAnswersBehindWhatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{SendQueue: 2}})
		w, _ := greeted(t, server)
		w.send(&proto.Subscribe{Sub: 1, Collection: "album"})
		until[*proto.Rows](w)
		for i := range 70 { // more than the connection and the queue take
			add(t, server, "album", "name", fmt.Sprint(i))
			synctest.Wait()
		}
		for range 2 { // so that the queue has room behind what waits
			w.receive()
			synctest.Wait()
		}
		tx := anonymous(server).Begin()
		comes := must(tx.Create(t.Context(), "album", with("name", "comes")))
		w.send(&proto.Get{Request: 2, Collection: "album", Entities: []id.EntityID{comes}})
		synctest.Wait()
		if _, err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := false
		for {
			switch m := w.receive().(type) {
			case *proto.Update:
				told = told || slices.ContainsFunc(m.Changes, func(c proto.RowChange) bool { return c.Entity == comes })
			case *proto.Rows:
				if !told || !slices.Equal(m.Same, []id.EntityID{comes}) {
					t.Errorf("told of it: %v; then %+v", told, m)
				}
				return
			}
		}
	})
}

// TestPeerThatIsTooSlow: one that leaves more than there is room for is disconnected, told why,
// and brought up to date when it is back.
func TestPeerThatIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{SendQueue: 2, Backlog: 20}})
		a := openAlbums(t, core.Options{})
		var mu sync.Mutex
		var reasons []error
		a.OnStatus(func(s core.Status) {
			mu.Lock()
			defer mu.Unlock()
			reasons = append(reasons, s.LastError)
		})
		var slow atomic.Bool
		inner := local.NewDialer(server, local.Options{Queue: 1})
		a.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
			conn, err := inner.Dial(ctx)
			return &waitingConn{Conn: conn, slow: &slow}, err
		}}, core.DialOptions{})
		q := watch(t, a, "album", "")
		time.Sleep(time.Second)
		slow.Store(true)
		for i := range 200 {
			create(t, server, fmt.Sprint(i), int64(i))
		}
		time.Sleep(time.Minute)
		slow.Store(false)
		time.Sleep(time.Hour)
		if len(q.Rows()) != 200 || q.Status() != core.QueryLive {
			t.Errorf("%d rows, %v", len(q.Rows()), q.Status())
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(reasons, func(err error) bool { return err != nil && strings.Contains(err.Error(), "does not take its updates") }) {
			t.Errorf("it was told %v", reasons)
		}
	})
}

// waitingConn receives a frame in half a second while it is slow.
type waitingConn struct {
	connectors.Conn
	slow *atomic.Bool
}

func (c *waitingConn) Receive(ctx context.Context) ([]byte, error) {
	if c.slow.Load() {
		time.Sleep(500 * time.Millisecond)
	}
	return c.Conn.Receive(ctx)
}

// misfit is a client with two live results, in step with a durable node that the test plays:
// "near" shows one row, "far" another.
type misfit struct {
	*byHand
	t          *testing.T
	node       *core.Node
	w          *wire
	near, far  *recorder
	rows       []proto.Row // of near and far
	events     []*proto.Event
	subscribed chan *proto.Subscribe
	asked      chan *proto.Get
	greeted    chan *wire
}

func newMisfit(t *testing.T, limits core.Limits) *misfit {
	x := &misfit{byHand: handmade(), t: t, node: open(t, core.Options{Limits: limits}),
		subscribed: make(chan *proto.Subscribe, 8), asked: make(chan *proto.Get, 8), greeted: make(chan *wire, 8)}
	if err := x.node.Register(t.Context(), album); err != nil {
		t.Fatal(err)
	}
	x.node.Dial(x.accept(t, func(w *wire) {
		x.welcome(w)
		x.greeted <- w
		for {
			b, err := w.conn.Receive(context.Background())
			if err != nil {
				return
			}
			switch m := must(proto.DecodeFrame(b)).(type) {
			case *proto.Subscribe:
				x.subscribed <- m
			case *proto.Get:
				x.asked <- m
			}
		}
	}), core.DialOptions{})
	x.w = <-x.greeted
	x.w.node = x.id
	for i, name := range []string{"near", "far"} {
		q, sub := x.look("name = '" + name + "'")
		e := x.w.creation("album", with("name", name, "year", i))
		x.events = append(x.events, e)
		x.rows = append(x.rows, proto.Row{Entity: e.Entity, Rev: 1, State: must(entity.Apply(nil, e))})
		x.answer(sub, true, i)
		synctest.Wait()
		if len(q.Rows()) != 1 || q.Status() != core.QueryLive {
			t.Fatalf("%d rows, %v", len(q.Rows()), q.Status())
		}
		r := record(t, q)
		if x.near == nil {
			x.near = r
		} else {
			x.far = r
		}
	}
	return x
}

// look opens a live result, and returns the subscription that is to be answered.
func (x *misfit) look(text string) (*core.LiveQuery, uint64) {
	q := watch(x.t, x.node, "album", text)
	return q, (<-x.subscribed).Sub
}

// answer sends rows as they are now.
func (x *misfit) answer(number uint64, done bool, rows ...int) {
	m := &proto.Rows{Sub: number, Collection: "album", Complete: true, Done: done}
	for _, i := range rows {
		m.Rows = append(m.Rows, x.rows[i])
	}
	x.w.send(m)
}

// update sends changes as one transaction.
func (x *misfit) update(changes ...proto.RowChange) { x.w.send(&proto.Update{Changes: changes}) }

// edit makes the next event on a row, which is of the given revision then; it returns the
// change that takes a holder of the one before there.
func (x *misfit) edit(i, year int, rev uint64) proto.RowChange {
	e := x.w.edit(x.events[i], with("year", year))
	row := &x.rows[i]
	before := row.State
	row.State, row.Rev, x.events[i] = must(entity.Apply(before, e)), rev, e
	return proto.RowChange{Collection: "album", Entity: row.Entity, Rev: rev, Kind: proto.RowPatch, Head: row.State.Head,
		Properties: entity.Patch(before, row.State)}
}

// TestUpdateThatDoesNotFitWaits: an update of a row that the client does not hold as it was
// before is not shown by halves, and neither is what comes after it: the row is asked for, and
// everything is shown when it is here.
func TestUpdateThatDoesNotFitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newMisfit(t, core.Limits{})
		x.edit(0, 10, 2) // of which the client never hears
		x.w.send(&proto.Update{Changes: []proto.RowChange{x.edit(0, 11, 3), x.edit(1, 11, 2)}})
		get := <-x.asked
		if !slices.Equal(get.Entities, []id.EntityID{x.rows[0].Entity}) {
			t.Fatalf("it asked for %v", get.Entities)
		}
		x.w.send(&proto.Update{Changes: []proto.RowChange{x.edit(1, 12, 3)}})
		x.w.send(&proto.Update{Changes: []proto.RowChange{x.edit(0, 13, 4), x.edit(1, 13, 4)}})
		synctest.Wait()
		x.near.want()
		x.far.want()
		x.w.send(&proto.Rows{Sub: get.Request, Collection: "album", Complete: true, Done: true, Rows: x.rows[:1]})
		synctest.Wait()
		x.near.want("updated near")
		x.far.want("updated far")
		for i, r := range []*recorder{x.near, x.far} {
			if year := r.all[len(r.all)-1].Changes[0].View.Field("year").String(); year != "13" {
				t.Errorf("row %d is of %s", i, year)
			}
		}
		x.w.send(&proto.Update{Changes: []proto.RowChange{x.edit(0, 14, 5)}})
		synctest.Wait()
		x.near.want("updated near")
		x.far.want()
	})
}

// TestAnswersInAStandstill: what a standstill ends in is what came last of each row, whether an
// update or an answer brought it, and every result hears of it that shows what was there before.
func TestAnswersInAStandstill(t *testing.T) {
	for name, test := range map[string]func(x *misfit, sub uint64) (beside func()){
		"an answer between updates": func(x *misfit, sub uint64) func() {
			x.update(x.edit(0, 20, 3), x.edit(1, 20, 2))
			return func() {
				x.edit(1, 21, 3)
				x.answer(sub, true, 1)
				x.update(x.edit(1, 22, 4))
			}
		},
		"an answer in parts, with updates between": func(x *misfit, sub uint64) func() {
			x.update(x.edit(0, 20, 3), x.edit(1, 20, 2))
			return func() {
				x.edit(1, 21, 3)
				x.answer(sub, false, 1)
				x.update(x.edit(1, 22, 4))
				x.answer(sub, true)
			}
		},
		"an answer of which a part was there before": func(x *misfit, sub uint64) func() {
			x.edit(1, 20, 2)
			x.answer(sub, false, 1) // held back, and so shown nowhere
			x.update(x.edit(0, 20, 3), x.edit(1, 21, 3))
			return func() {
				x.answer(sub, true)
				x.update(x.edit(1, 22, 4))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newMisfit(t, core.Limits{})
				old, sub := x.look("year < 10")
				x.answer(sub, true, 0, 1)
				synctest.Wait()
				late, sub := x.look("name = 'far' AND year > 0")
				x.edit(0, 19, 2) // of which the client never hears
				beside := test(x, sub)
				get := <-x.asked
				beside()
				synctest.Wait()
				x.near.want()
				x.far.want()
				x.answer(get.Request, true, 0)
				synctest.Wait()
				x.far.want("updated far")
				if year := x.far.all[0].Changes[0].View.Field("year").String(); year != "22" {
					t.Errorf("far is of %s", year)
				}
				if rows := old.Rows(); len(rows) != 0 {
					t.Errorf("there are old rows: %v", rows)
				}
				if rows := late.Rows(); len(rows) != 1 || late.Status() != core.QueryLive {
					t.Errorf("the late result has %v, %v", rows, late.Status())
				}
			})
		})
	}
}

// TestStandstillEnds: with the connection, when the row does not come, or too much else does.
func TestStandstillEnds(t *testing.T) {
	for name, end := range map[string]func(x *misfit){
		"no answer": func(*misfit) { time.Sleep(time.Minute) },
		"too much": func(x *misfit) {
			for rev := range uint64(200) {
				m := &proto.Update{Changes: []proto.RowChange{x.edit(1, int(rev), rev+3)}}
				if x.w.conn.Send(context.Background(), proto.AppendFrame(nil, m)) != nil {
					break
				}
			}
			time.Sleep(time.Second)
		},
		"no such row": func(x *misfit) {
			get := <-x.asked
			x.w.send(&proto.Reply{Request: get.Request, Kind: uint64(core.KindStorage)})
			time.Sleep(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newMisfit(t, core.Limits{BacklogBytes: 20_000, Ping: time.Hour})
				x.edit(0, 10, 2)
				x.w.send(&proto.Update{Changes: []proto.RowChange{x.edit(0, 11, 3), x.edit(1, 11, 2)}})
				synctest.Wait()
				end(x)
				select {
				case <-x.greeted:
				default:
					t.Error("the connection goes on")
				}
				x.near.want()
				x.far.want()
			})
		})
	}
}

// lateEngine reads records, once, some time before it says what they are.
type lateEngine struct {
	storage.Engine
	late atomic.Pointer[func()]
}

func (e *lateEngine) Records(ctx context.Context, ids []id.EntityID) ([]*proto.Record, error) {
	list, err := e.Engine.Records(ctx, ids)
	if late := e.late.Swap(nil); late != nil {
		(*late)()
	}
	return list, err
}

// TestAnswerThatIsLateTakesNothingBack: an answer was read before what updates have said since,
// and says nothing against them.
func TestAnswerThatIsLateTakesNothingBack(t *testing.T) {
	engine := &lateEngine{Engine: memory.New()}
	server := durable(t, core.Options{Engine: engine})
	author, _ := greeted(t, server)
	created := author.creation("album", with("name", "x", "year", 1))
	w, _ := greeted(t, server)
	w.send(&proto.Subscribe{Sub: 1, Collection: "album"})
	for !until[*proto.Rows](w).Done {
	}
	entered, hold := make(chan struct{}), make(chan struct{})
	late := func() { close(entered); <-hold }
	engine.late.Store(&late)
	w.send(&proto.Get{Request: 9, Collection: "album", Entities: []id.EntityID{created.Entity}})
	<-entered
	author.send(author.commit(created))
	author.ack()
	if u := until[*proto.Update](w); u.Changes[0].Entity != created.Entity {
		t.Fatalf("it was told of %v", u.Changes)
	}
	close(hold)
	if answer := until[*proto.Rows](w); !slices.Contains(answer.Same, created.Entity) {
		t.Errorf("the answer is %+v", answer)
	}
}

// unreadable is one process's engine on a shared store whose view can be taken away.
type unreadable struct {
	*memory.Shared
	down atomic.Bool
}

func (u *unreadable) View(ctx context.Context) (storage.View, error) {
	if u.down.Load() {
		return nil, storage.ErrUnavailable
	}
	return u.Shared.View(ctx)
}

// TestStoreThatCannotBeLookedAt: where nobody can say what other processes of the store have
// committed, who asks for rows is told so in time, and answered when the store is back.
func TestStoreThatCannotBeLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &unreadable{Shared: memory.NewDisk().Share()}
		server := durable(t, core.Options{Engine: engine, Limits: core.Limits{Request: 5 * time.Second, Ping: time.Hour}})
		e := create(t, server, "x", 1)
		w, _ := greeted(t, server)
		engine.down.Store(true)
		w.send(&proto.Get{Request: 1, Collection: "album", Entities: []id.EntityID{e}})
		began := time.Now()
		m := until[*proto.Reply](w)
		if took := time.Since(began); core.Kind(m.Kind) != core.KindStorage || took < 4*time.Second || took > 10*time.Second {
			t.Errorf("after %v: %+v", took, m)
		}
		engine.down.Store(false)
		w.send(&proto.Get{Request: 2, Collection: "album", Entities: []id.EntityID{e}})
		if m := until[*proto.Rows](w); len(m.Rows) != 1 {
			t.Errorf("%+v", m)
		}
	})
}

// TestRowsThatNobodyKeptInStepAreWithheld: a row that a node holds from earlier, and that
// something behind a reference makes match here, is not shown as it was beside rows that are newer,
// unless the connection ends before it is known what has become of it.
func TestRowsThatNobodyKeptInStepAreWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := referringServer(t, core.Options{})
		ids := discs(t, server)
		peer := open(t, core.Options{})
		register(t, peer)
		var slow atomic.Bool
		inner := local.NewDialer(server, local.Options{})
		link := peer.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
			conn, err := inner.Dial(ctx)
			return &waitingConn{Conn: conn, slow: &slow}, err
		}}, core.DialOptions{})
		settled()
		for _, name := range []string{"jazz", "moon"} { // they are here, and nobody keeps them in step
			must(anonymous(peer).Get(t.Context(), "record", ids[name]))
		}
		liveNames(t, watch(t, peer, "artist", "ORDER BY name"), "air muse queen")
		live := watch(t, peer, "record", "artist.name = 'muse' ORDER BY name")
		liveNames(t, live, "drones showbiz")
		year := func(year int, more func(tx *core.Tx) error) {
			t.Helper()
			several(t, server, func(tx *core.Tx) error {
				for _, name := range []string{"drones", "showbiz", "moon"} {
					if err := tx.Set(t.Context(), "record", ids[name], with("year", year)); err != nil {
						return err
					}
				}
				return more(tx)
			})
		}
		year(2001, func(*core.Tx) error { return nil })
		settled()
		live.Subscribe(func(*core.ChangeSet) {
			years := make(map[string]bool)
			for _, row := range live.Rows() {
				years[text(row, "year")] = true
			}
			if live.Status() == core.QueryLive && len(years) > 1 {
				t.Errorf("%q is shown, of %d years", rowNames(live, "name"), len(years))
			}
		})
		rename := func(artist, name string) func(*core.Tx) error {
			return func(tx *core.Tx) error { return tx.Set(t.Context(), "artist", ids[artist], with("name", name)) }
		}
		year(2002, rename("air", "muse"))
		liveNames(t, live, "drones moon showbiz")
		removed := func(tx *core.Tx) error {
			if err := tx.Delete(t.Context(), "record", ids["jazz"]); err != nil {
				return err
			}
			return rename("queen", "muse")(tx)
		}
		slow.Store(true)
		year(2003, removed)
		time.Sleep(time.Second / 4)
		synctest.Wait()
		if got := rowNames(live, "name"); got != "drones moon showbiz" || text(live.Rows()[0], "year") != "2003" {
			t.Errorf("before the answer: %s of %s", got, text(live.Rows()[0], "year"))
		}
		link.Close()
		settled()
		if got := rowNames(live, "name"); got != "drones jazz moon showbiz" || live.Status() != core.QueryLocal {
			t.Errorf("offline: %s, %s", got, live.Status())
		}
		slow.Store(false)
		local.Connect(server, peer)
		liveNames(t, live, "drones moon showbiz")
	})
}
