package bridge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

func TestHelloTellsStorageStatusAndRejections(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	p.until("rejections", func() bool {
		return slices.ContainsFunc(p.log, func(m frame.Message) bool { _, ok := m.(*frame.Rejections); return ok })
	})
	opened := p.seen()[0].(*frame.Opened)
	if opened.Storage != frame.StorageMemory || opened.Warning == nil || opened.Warning.Code != "offline" {
		t.Errorf("opened %+v, want memory with the node's warning", opened)
	}
}

// B1: what a commit changed is there before its answer.
func TestDeltasLeaveBeforeTheCommitsAnswer(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY name"})
	p.until("an answer", func() bool { return p.status[1] >= frame.QueryLocal })
	for i := range 50 {
		name := fmt.Sprintf("album %02d", i)
		p.commitAlbums(uint64(i+1), albumRow(name, 2000))
		p.mu.Lock()
		committed := slices.IndexFunc(p.log, func(m frame.Message) bool { r, ok := m.(*frame.Committed); return ok && r.Request == p.request })
		shown := slices.IndexFunc(p.log, func(m frame.Message) bool {
			d, ok := m.(*frame.Delta)
			return ok && len(d.Changes) == 1 && d.Changes[0].Values != nil && d.Changes[0].Values[0] == value.String(name)
		})
		if shown < 0 || shown > committed {
			t.Fatalf("change set %d of the commit came at %d, the answer at %d", i, shown, committed)
		}
		p.mu.Unlock()
	}
}

func TestPagesSeeEachOthersCommits(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	a, b := w.join(), w.join()
	for _, p := range []*page{a, b} {
		p.send(&frame.Subscribe{Query: 5, Collection: "album", Text: "year > ? ORDER BY name", Params: frame.Params{Positional: []frame.Param{{Value: value.Int(1990)}}}})
	}
	ids := a.commitAlbums(1, albumRow("Absolution", 2003), albumRow("Showbiz", 1999), albumRow("Nevermind", 1980))
	b.shows(5, "Absolution", "Showbiz")
	b.ask(&frame.Edit{Tx: 9, Collection: "album", Entity: ids[0], Columns: []string{"name"}, Values: []value.Value{value.String("Zooropa")}},
		&frame.Mark{Tx: 9, Collection: "album", Entity: ids[2], Deleted: true}, &frame.Commit{Request: b.next(), Tx: 9})
	a.shows(5, "Showbiz", "Zooropa")
	b.session.Close()
	a.ask(&frame.Mark{Tx: 2, Collection: "album", Entity: ids[1], Deleted: true}, &frame.Commit{Request: a.next(), Tx: 2})
	a.shows(5, "Zooropa")
	a.ask(&frame.Mark{Tx: 3, Collection: "album", Entity: ids[1]}, &frame.Commit{Request: a.next(), Tx: 3})
	a.shows(5, "Showbiz", "Zooropa")
}

// B4: what belongs to a session is gone when the session is.
func TestClosingReleasesWhatTheSessionHeld(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	stays, goes := w.join(), w.join()
	stays.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "year = 1"})
	goes.send(
		&frame.Subscribe{Query: 1, Collection: "album", Text: "year  =  1"},
		&frame.Subscribe{Query: 2, Collection: "album", Text: "year = 2"},
		&frame.Subscribe{Query: 3, Collection: "album", Text: "year = 3"},
		&frame.Unsubscribe{Query: 3},
	)
	ids := goes.commitAlbums(1, albumRow("x", 2))
	goes.ask(goes.create(2, albumRow("never committed", 1)))
	goes.shows(2, "x")
	node := w.node()
	stays.until("equal queries are one", func() bool { return node.Watches() == 2 })
	goes.session.Close()
	eventually(t, "one query is left", func() bool { return node.Watches() == 1 })
	if rows := stays.fetch(""); len(rows) != 1 || rows[0].entity != ids[0] {
		t.Errorf("rows are %v, want only what was committed", names(rows))
	}
}

func TestLastSessionClosesTheNodeAndTheNextOpensItAgain(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	a, b := w.join(), w.join()
	a.commitAlbums(1, albumRow("kept", 1))
	first := w.node()
	a.session.Close()
	b.session.Close()
	eventually(t, "the node is closed", func() bool {
		_, err := first.Rejections(t.Context())
		return core.KindOf(err) == core.KindClosed
	})
	c := w.join()
	if w.node() == first {
		t.Error("the node was not opened again")
	}
	if rows := c.fetch(""); !slices.Equal(names(rows), []string{"kept"}) {
		t.Errorf("rows are %v", names(rows))
	}
}

func TestHelloForAnotherNodeIsRefused(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	w.join()
	for name, hello := range map[string]*frame.Hello{
		"name":    {Name: "y", URL: "server"},
		"url":     {Name: "x", URL: "elsewhere"},
		"storage": {Name: "x", URL: "server", Storage: frame.StorageMemory},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.visit()
			hello.Request = p.next()
			if err := p.refused(hello); err.Code != "invalid" || !strings.Contains(err.Message, name) {
				t.Errorf("refused with %+v", err)
			}
			if err := p.refused(&frame.Await{Request: p.next()}); err.Code != "closed" {
				t.Errorf("a session without a node answers %+v", err)
			}
		})
	}
}

func TestModelsThatConflictAreRefused(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	w.join()
	p := w.visit()
	conflicting := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "year", Type: schema.TypeString}}}
	err := p.refused(&frame.Hello{Request: p.next(), Name: "x", URL: "server", Models: []*schema.Model{conflicting}})
	if err.Code != "schema" {
		t.Errorf("refused with %+v", err)
	}
}

func TestTransactionReadsItsOwnWritesAndRollsBack(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	ids := p.commitAlbums(1, albumRow("old", 1))
	inTx := func(text string) []string {
		m := p.ask(&frame.Fetch{Request: p.next(), Tx: 2, Collection: "album", Text: text}).(*frame.Rows)
		var list []string
		for _, r := range m.Rows {
			name, _ := r.Values[0].AsString()
			list = append(list, name)
		}
		return list
	}
	p.send(&frame.Edit{Tx: 2, Collection: "album", Entity: ids[0], Columns: []string{"name"}, Values: []value.Value{value.String("edited")}})
	p.ask(p.create(2, albumRow("new", 2)))
	if got := inTx("ORDER BY year"); !slices.Equal(got, []string{"edited", "new"}) {
		t.Errorf("the transaction reads %v", got)
	}
	got := p.ask(&frame.Get{Request: p.next(), Tx: 2, Collection: "album", Entity: ids[0]}).(*frame.Rows)
	if name, _ := got.Rows[0].Values[0].AsString(); name != "edited" {
		t.Errorf("get reads %q", name)
	}
	if rows := p.fetch("ORDER BY year"); !slices.Equal(names(rows), []string{"old"}) {
		t.Errorf("others read %v before the commit", names(rows))
	}
	p.send(&frame.Rollback{Tx: 2})
	p.ask(&frame.Commit{Request: p.next(), Tx: 3})
	if rows := p.fetch("ORDER BY year"); !slices.Equal(names(rows), []string{"old"}) {
		t.Errorf("rows are %v after the rollback", names(rows))
	}
}

func TestDefaultsAndNullsOfACreation(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	p.ask(&frame.Create{Request: p.next(), Tx: 1, Collection: "album", Columns: []string{"name", "year", "plays"}, Rows: [][]value.Value{
		{value.String("a"), value.Null, value.Null},
		{value.String("b"), value.Float(3), value.Int(1)},
	}}, &frame.Create{Request: p.next(), Tx: 1, Collection: "album", Columns: []string{"name"}, Rows: [][]value.Value{{value.String("c")}}},
		&frame.Commit{Request: p.next(), Tx: 1})
	want := [][]value.Value{
		{value.String("a"), value.Null, value.Null},
		{value.String("b"), value.Int(3), value.Int(1)},
		{value.String("c"), value.Null, value.Int(7)},
	}
	for i, r := range p.fetch("ORDER BY name") {
		if !reflect.DeepEqual(r.values, want[i]) {
			t.Errorf("row %d is %v, want %v", i, r.values, want[i])
		}
	}
}

func TestWhatIsWrongInATransactionFailsItsCommit(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	unknown := id.EntityID{ULID: id.New(nil)}
	for name, tc := range map[string]struct {
		message frame.Message
		code    string
	}{
		"edit of an unknown entity": {&frame.Edit{Tx: 4, Collection: "album", Entity: unknown, Columns: []string{"year"}, Values: []value.Value{value.Int(1)}}, "not-found"},
		"unknown property":          {&frame.Create{Request: p.next(), Tx: 4, Collection: "album", Columns: []string{"nome"}, Rows: [][]value.Value{{value.Int(1)}}}, "schema"},
		"missing property":          {&frame.Create{Request: p.next(), Tx: 4, Collection: "album", Columns: []string{"year"}, Rows: [][]value.Value{{value.Int(1)}}}, "schema"},
		"unknown collection":        {&frame.Mark{Tx: 4, Collection: "song", Entity: unknown, Deleted: true}, "schema"},
	} {
		t.Run(name, func(t *testing.T) {
			p.send(p.create(4, albumRow("in vain", 1)), tc.message)
			if err := p.refused(&frame.Commit{Request: p.next(), Tx: 4}); err.Code != tc.code {
				t.Errorf("commit failed with %+v, want %s", err, tc.code)
			}
			if rows := p.fetch(""); len(rows) != 0 {
				t.Errorf("rows are %v", names(rows))
			}
		})
	}
}

func TestErrorsOfSelectionsHaveTheirPlace(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	const text = "name = '🎵é' AND\n yaer > 1"
	want := frame.Place{Offset: 18, Line: 2, Column: 2}
	check := func(t *testing.T, err *frame.Error) {
		t.Helper()
		if err == nil || err.Code != "selection" || err.Place == nil {
			t.Fatalf("got %+v", err)
		}
		place := *err.Place
		if place.Hint == "" {
			t.Error("there is no hint")
		}
		place.Hint = ""
		if place != want {
			t.Errorf("place is %+v, want %+v", place, want)
		}
	}
	t.Run("fetch", func(t *testing.T) {
		err := p.refused(&frame.Fetch{Request: p.next(), Collection: "album", Text: text})
		check(t, &err)
	})
	t.Run("live", func(t *testing.T) {
		p.send(&frame.Subscribe{Query: 8, Collection: "album", Text: text})
		p.until("the error", func() bool { return p.status[8] == frame.QueryError })
		final := last(p.seen()).(*frame.Delta)
		check(t, final.Err)
	})
	t.Run("parameters", func(t *testing.T) {
		err := p.refused(&frame.Fetch{Request: p.next(), Collection: "album", Text: "year = ?"})
		if err.Code != "selection" {
			t.Errorf("got %+v", err)
		}
	})
}

func TestParametersByPositionAndName(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	p.commitAlbums(1, albumRow("a", 1), albumRow("b", 2), albumRow("c", 3))
	for name, tc := range map[string]struct {
		text   string
		params frame.Params
		want   []string
	}{
		"position": {"year > ? ORDER BY name", frame.Params{Positional: []frame.Param{{Value: value.Int(1)}}}, []string{"b", "c"}},
		"list":     {"name IN ? ORDER BY name", frame.Params{Positional: []frame.Param{{IsList: true, List: []value.Value{value.String("a"), value.String("c")}}}}, []string{"a", "c"}},
		"name":     {"year = :y", frame.Params{Named: []frame.NamedParam{{Name: "y", Param: frame.Param{Value: value.Int(2)}}}}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := p.ask(&frame.Fetch{Request: p.next(), Collection: "album", Text: tc.text, Params: tc.params})
			rows, ok := m.(*frame.Rows)
			if !ok {
				t.Fatalf("answered by %+v", m)
			}
			var got []string
			for _, r := range rows.Rows {
				name, _ := r.Values[0].AsString()
				got = append(got, name)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestGetOfNothingIsNotFound(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	err := p.refused(&frame.Get{Request: p.next(), Collection: "album", Entity: id.EntityID{ULID: id.New(nil)}})
	if err.Code != "not-found" {
		t.Errorf("got %+v", err)
	}
}

// B3: whatever comes, the session goes on.
func TestBadMessagesAreAnsweredAndTheSessionGoesOn(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	p.session.Receive([]byte{})
	p.session.Receive([]byte{frame.Version, 0x95, 1})
	p.session.Receive(append(frame.Begin(nil), msgpack.AppendUint(msgpack.AppendArrayLen(nil, 1), 250)...))
	p.session.Receive(frame.Append(frame.Begin(nil), &frame.Done{Request: 1}))
	p.send(&frame.Unsubscribe{Query: 77}, &frame.Rollback{Tx: 77}, &frame.Cancel{Request: 77},
		&frame.Received{Bytes: 1 << 60}, &frame.Hello{Request: p.next(), Name: "x", URL: "server"})
	if err := p.refused(&frame.Fetch{Request: p.next(), Collection: "song"}); err.Code != "schema" {
		t.Errorf("unknown collection: %+v", err)
	}
	if rows := p.fetch(""); len(rows) != 0 {
		t.Errorf("rows are %v", names(rows))
	}
	refused := 0
	for _, m := range p.seen() {
		if f, ok := m.(*frame.Failed); ok && f.Request == 0 && f.Err.Code == "invalid" {
			refused++
		}
	}
	if refused != 4 {
		t.Errorf("%d messages were refused, want 4", refused)
	}
}

func TestOtherVersionIsRefusedInWords(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).visit()
	p.session.Receive([]byte{frame.Version + 1})
	p.until("the refusal", func() bool { return len(p.log) == 1 })
	if failed := p.seen()[0].(*frame.Failed); failed.Err.Code != "version" {
		t.Errorf("got %+v", failed.Err)
	}
}

func TestCancelledRequestIsAnswered(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.visit()
	p.ask(&frame.Hello{Request: p.next(), Name: "alone"})
	await := &frame.Await{Request: p.next()}
	if err := p.refused(await, &frame.Cancel{Request: await.Request}, await); err.Code != "deadline" {
		t.Errorf("got %+v", err)
	}
}

func TestTransactionWaitsForASystemButNotForEver(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{Ready: 1})
	p := w.visit()
	p.ask(&frame.Hello{Request: p.next(), Name: "alone", Models: []*schema.Model{album}})
	if err := p.refused(p.create(1, albumRow("x", 1))); err.Code != "not-ready" {
		t.Errorf("got %+v", err)
	}
}

func TestLimitsAreTypedErrors(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{Queries: 1, Transactions: 1, Requests: 1, Operations: 1})
	p := w.visit()
	p.ask(&frame.Hello{Request: p.next(), Name: "alone", Models: []*schema.Model{album}})
	p.send(&frame.Subscribe{Query: 1, Collection: "album"}, &frame.Subscribe{Query: 2, Collection: "album", Text: "year = 1"})
	p.until("the second query is refused", func() bool { return p.status[2] == frame.QueryError })
	p.send(&frame.Await{Request: p.next()})
	if err := p.refused(&frame.Fetch{Request: p.next(), Collection: "album"}); err.Code != "limit" {
		t.Errorf("requests: %+v", err)
	}
}

func TestPageThatFloodsIsCutOffAndTold(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{Inbox: 1000})
	w.opening = make(chan struct{}) // nothing is read until the node is open
	p := w.visit()
	p.send(&frame.Hello{Request: p.next(), Name: "x"})
	for range 3 {
		p.session.Receive(make([]byte, 600))
	}
	p.until("the last word", func() bool {
		if len(p.log) == 0 {
			return false
		}
		failed, ok := p.log[len(p.log)-1].(*frame.Failed)
		return ok && failed.Request == 0 && failed.Err.Code == "closed"
	})
}

// deny refuses transactions that touch albums of a certain year.
type deny struct{ policy.Agent }

func (deny) Write(_ policy.Principal, w policy.Write) error {
	if w.After != nil && w.After.Field("year") == value.Int(1984) {
		return policy.Denied("1984 is not allowed")
	}
	return nil
}

func TestRefusedTransactionReachesItsPageAndStaysUntilDismissed(t *testing.T) {
	w := newWorld(t, deny{policy.Permissive()}, bridge.Limits{})
	p, other := w.join(), w.join()
	p.send(&frame.Subscribe{Query: 1, Collection: "album"})
	p.commitAlbums(1, albumRow("fine", 1983))
	p.commitAlbums(2, albumRow("refused", 1984))
	p.until("it is refused", func() bool {
		return slices.ContainsFunc(p.log, func(m frame.Message) bool {
			s, ok := m.(*frame.Settled)
			return ok && s.Err != nil && s.Err.Code == "denied"
		})
	})
	p.shows(1, "fine")
	var refused frame.Rejection
	rejections := func(n int) func() bool {
		return func() bool {
			for _, m := range slices.Backward(other.log) {
				if list, ok := m.(*frame.Rejections); ok {
					if len(list.List) > 0 {
						refused = list.List[0]
					}
					return len(list.List) == n
				}
			}
			return false
		}
	}
	other.until("every page knows", rejections(1))
	if refused.Code != "denied" || !strings.Contains(refused.Message, "1984 is not allowed") || refused.Millis == 0 {
		t.Errorf("rejection is %+v", refused)
	}
	settled := 0
	p.until("both are settled", func() bool {
		settled = 0
		for _, m := range p.log {
			if _, ok := m.(*frame.Settled); ok {
				settled++
			}
		}
		return settled == 2
	})
	for _, m := range other.seen() {
		if _, ok := m.(*frame.Settled); ok {
			t.Error("another page was told of the outcome")
		}
	}
	if c := refused.Changes; len(c) != 1 || !c[0].Creation || c[0].Collection != "album" || len(c[0].Fields) == 0 {
		t.Errorf("it would have done %+v", c)
	}
	again, ok := p.ask(&frame.Retry{Request: p.next(), Transaction: refused.Transaction}).(*frame.Committed)
	if !ok {
		t.Fatal("the transaction is not made again")
	}
	p.until("the page is told that it is refused again", func() bool {
		return slices.ContainsFunc(p.log, func(m frame.Message) bool {
			s, ok := m.(*frame.Settled)
			return ok && s.Transaction == again.Transaction && s.Err != nil
		})
	})
	other.until("every page knows", func() bool { return rejections(1)() && refused.Transaction == again.Transaction })
	if m := other.ask(&frame.Dismiss{Request: other.next(), Transaction: refused.Transaction}); reflect.TypeOf(m) != reflect.TypeFor[*frame.Done]() {
		t.Errorf("dismissal answered by %+v", m)
	}
	other.until("it is dismissed", rejections(0))
}

func TestEmptyTransactionSettles(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).join()
	p.ask(&frame.Commit{Request: p.next(), Tx: 1})
	p.until("it is settled", func() bool {
		return slices.ContainsFunc(p.log, func(m frame.Message) bool { s, ok := m.(*frame.Settled); return ok && s.Err == nil })
	})
}

func TestHistoryOfAnEntity(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	e := p.commitAlbums(1, albumRow("Drones", 2014))[0]
	p.send(&frame.Edit{Tx: 2, Collection: "album", Entity: e, Columns: []string{"year"}, Values: []value.Value{value.Int(2015)}})
	p.ask(&frame.Commit{Request: p.next(), Tx: 2})
	p.until("both are sent", told(p, func(s *frame.Status) bool { return s.Connection == frame.Live && s.Pending == 0 }))

	page, ok := p.ask(&frame.History{Request: p.next(), Collection: "album", Entity: e, Limit: 1}).(*frame.Revisions)
	if !ok || len(page.List) != 1 || page.List[0].Pending || page.Next.IsZero() || page.List[0].Millis == 0 {
		t.Fatalf("the first page is %+v", page)
	}
	if c := page.List[0].Changes; len(c) != 1 || c[0] != (frame.ValueChange{Property: "year", Before: value.Int(2014), After: value.Int(2015)}) {
		t.Errorf("the edit did %v", c)
	}
	next, ok := p.ask(&frame.History{Request: p.next(), Collection: "album", Entity: e, Before: page.Next}).(*frame.Revisions)
	if !ok || len(next.List) != 1 || next.List[0].Event != id.EventID(e) || !next.Next.IsZero() {
		t.Fatalf("the second page is %+v", next)
	}
	for event, want := range map[id.EventID]int64{page.List[0].Event: 2015, next.List[0].Event: 2014} {
		rows, ok := p.ask(&frame.AsOf{Request: p.next(), Collection: "album", Entity: e, Events: []id.EventID{event}}).(*frame.Rows)
		if !ok || len(rows.Rows) != 1 || rows.Rows[0].Values[slices.Index(rows.Columns, "year")] != value.Int(want) {
			t.Errorf("as of %s: %+v", event, rows)
		}
	}
	for what, m := range map[string]frame.Message{
		"a time before it":   &frame.AsOf{Request: p.next(), Collection: "album", Entity: e, Millis: 1},
		"another entity":     &frame.History{Request: p.next(), Collection: "album", Entity: id.EntityID{ULID: id.New(nil)}},
		"an unknown refusal": &frame.Retry{Request: p.next(), Transaction: id.TransactionID{ULID: id.New(nil)}},
	} {
		if err := p.refused(m); err.Code != "not-found" {
			t.Errorf("%s: %+v", what, err)
		}
	}
}

// doorman tells of the tokens that connections present.
type doorman struct {
	policy.Agent
	tokens chan string
}

func (d doorman) Authenticate(ctx context.Context, credentials []byte) (policy.Principal, error) {
	d.tokens <- string(credentials)
	return d.Agent.Authenticate(ctx, credentials)
}

// The status need not change: it stays live when the new connection is there before the
// end of the old one was noticed.
func TestTokenConnectsAnew(t *testing.T) {
	door := doorman{policy.Permissive(), make(chan string, 16)}
	p := newWorld(t, door, bridge.Limits{}).join()
	if _, ok := p.ask(&frame.Token{Request: p.next(), Token: "other"}).(*frame.Done); !ok {
		t.Error("not done")
	}
	timeout := time.After(patience)
	for token := ""; token != "other"; {
		select {
		case token = <-door.tokens:
		case <-timeout:
			t.Fatal("never presented the new token")
		}
	}
	p.until("live", told(p, func(s *frame.Status) bool { return s.Connection == frame.Live }))
}

// told says whether the last status that the page was told is such.
func told(p *page, such func(*frame.Status) bool) func() bool {
	return func() bool {
		for _, m := range slices.Backward(p.log) {
			if s, ok := m.(*frame.Status); ok {
				return such(s)
			}
		}
		return false
	}
}

func TestNodeIsConnectedWhileAPageHasANetwork(t *testing.T) {
	live := func(s *frame.Status) bool { return s.Connection == frame.Live && s.Pending == 0 }
	offline := func(s *frame.Status) bool { return s.Connection == frame.Offline && s.Pending == 1 }
	w := newWorld(t, nil, bridge.Limits{})
	one, two := w.join(), w.join()

	one.send(&frame.Network{})
	one.commitAlbums(1, albumRow("sent through the other page's network", 1))
	one.until("sent", told(one, live))

	two.send(&frame.Network{})
	two.commitAlbums(1, albumRow("waits", 2))
	two.until("offline", told(two, offline))
	one.send(&frame.Network{Online: true})
	two.until("sent when a page has a network", told(two, live))

	one.session.Close() // the only page with a network
	two.until("offline again", told(two, func(s *frame.Status) bool { return s.Connection == frame.Offline }))
	two.commitAlbums(2, albumRow("waits again", 3))
	two.until("pending again", told(two, offline))
}

func TestServerThatIsNotThereIsOffline(t *testing.T) {
	p := newWorld(t, nil, bridge.Limits{}).visit()
	p.ask(&frame.Hello{Request: p.next(), Name: "x", URL: "nowhere"})
	p.until("offline", told(p, func(s *frame.Status) bool {
		return s.Connection == frame.Offline && s.Err != nil && s.Err.Code == "offline"
	}))
}

func TestPageWithoutANetworkIsNeverConnected(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.visit()
	p.send(&frame.Network{})
	p.ask(&frame.Hello{Request: p.next(), Name: "x", URL: "server", Models: []*schema.Model{album}})
	p.ask(&frame.Token{Request: p.next(), Token: "other"})
	for _, m := range p.seen() {
		if s, ok := m.(*frame.Status); ok && s.Connection != frame.Offline {
			t.Errorf("status %+v", s)
		}
	}
	p.send(&frame.Network{Online: true})
	p.until("live", told(p, func(s *frame.Status) bool { return s.Connection == frame.Live }))
}

// B5: rows come in parts that a page decodes in a moment, and are shown together.
func TestManyRowsComeInParts(t *testing.T) {
	const rows, part = 5000, 128 << 10
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	var all [][]value.Value
	for i := range rows {
		all = append(all, albumRow(fmt.Sprintf("%05d %s", i, strings.Repeat("x", i%300)), int64(i)))
	}
	p.commitAlbums(1, all...)
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY year"})
	p.until("all rows", func() bool { return len(p.rows[1]) == rows })
	if got := p.fetch("ORDER BY year"); len(got) != rows || got[rows-1].entity != p.rows[1][rows-1].entity {
		t.Errorf("fetched %d rows", len(got))
	}
	for _, size := range p.frames {
		if size > 2*part {
			t.Errorf("a frame has %d bytes", size)
		}
	}
	for _, m := range p.seen() {
		if d, ok := m.(*frame.Delta); ok && len(d.Changes) > 500 {
			t.Errorf("a message has %d rows", len(d.Changes))
		}
	}
}

// B2: a page that takes in nothing costs little, and is right again when it goes on.
func TestPageThatStandsStillIsBroughtUpToDate(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{Window: 4096, Changes: 20, PartBytes: 1024})
	slow, quick := w.join(), w.join()
	slow.send(
		&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY year DESC LIMIT 10"},
		&frame.Subscribe{Query: 2, Collection: "album", Text: "year < 30 ORDER BY name"},
	)
	slow.until("the first rows", func() bool { return len(slow.status) == 2 })
	slow.hold()
	for i := range 300 {
		quick.commitAlbums(uint64(i+1), albumRow(fmt.Sprintf("album %03d", i), int64(i)))
	}
	slow.mu.Lock()
	bytes := slow.received
	slow.mu.Unlock()
	if bytes > 20_000 {
		t.Errorf("a page that took in nothing was sent %d bytes", bytes)
	}
	slow.release()
	want := quick.fetch("ORDER BY year DESC LIMIT 10")
	slow.shows(1, names(want)...)
	slow.shows(2, names(quick.fetch("year < 30 ORDER BY name"))...)
}

// What is shown is what a fresh read gives, whatever the page's pace: random transactions of
// two pages against random live queries, one of them stopping and going.
func TestLiveEqualsRecomputedAtAnyPace(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	w := newWorld(t, nil, bridge.Limits{Window: 2000, Changes: 10, PartBytes: 500, PartRows: 3})
	pages := []*page{w.join(), w.join()}
	texts := []string{
		"", "ORDER BY name", "year > 5 ORDER BY year DESC", "ORDER BY year LIMIT 3", "year IS NULL",
		"name LIKE 'a%' ORDER BY year DESC, name LIMIT 4", "year BETWEEN 2 AND 6 ORDER BY name DESC",
	}
	for i, text := range texts {
		for _, p := range pages {
			p.send(&frame.Subscribe{Query: uint64(i), Collection: "album", Text: text})
		}
	}
	var known []id.EntityID
	for step := range 150 {
		if random.IntN(4) == 0 {
			pages[0].hold()
		} else {
			pages[0].release()
		}
		known = randomTransaction(random, pages[1], uint64(step+1), known)
	}
	pages[0].release()
	eventually(t, "all is acknowledged", func() bool { return w.node().Status().Pending == 0 })
	for i, text := range texts {
		want := pages[1].fetch(text)
		for _, p := range pages {
			p.until("query "+text+" is right", func() bool { return sameRows(p.rows[uint64(i)], want, text) })
		}
	}
}

func randomTransaction(random *rand.Rand, p *page, tx uint64, known []id.EntityID) []id.EntityID {
	var messages []frame.Message
	var create *frame.Create
	if random.IntN(2) == 0 || len(known) == 0 {
		var rows [][]value.Value
		for range 1 + random.IntN(3) {
			year := value.Null
			if random.IntN(5) > 0 {
				year = value.Int(random.Int64N(10))
			}
			rows = append(rows, []value.Value{value.String(string(rune('a' + random.IntN(4)))), year})
		}
		create = p.create(tx, rows...)
		messages = append(messages, create)
	}
	for range random.IntN(4) {
		if len(known) == 0 {
			break
		}
		e := known[random.IntN(len(known))]
		if random.IntN(3) == 0 {
			messages = append(messages, &frame.Mark{Tx: tx, Collection: "album", Entity: e, Deleted: random.IntN(2) == 0})
		} else {
			messages = append(messages, &frame.Edit{Tx: tx, Collection: "album", Entity: e, Columns: []string{"year"}, Values: []value.Value{value.Int(random.Int64N(10))}})
		}
	}
	// An edit of what is deleted fails the transaction, which is fine here.
	p.ask(append(messages, &frame.Commit{Request: p.next(), Tx: tx})...)
	if create == nil {
		return known
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, failed := p.answerTo(create.Request + 1).(*frame.Failed)
	if created, ok := p.answerTo(create.Request).(*frame.Created); ok && !failed {
		known = append(known, created.Entities...)
	}
	return known
}

// sameRows compares results; without ORDER BY in any order.
func sameRows(got, want []row, text string) bool {
	if !strings.Contains(text, "ORDER BY") {
		byID := func(a, b row) int { return a.entity.Compare(b.entity.ULID) }
		got, want = slices.SortedFunc(slices.Values(got), byID), slices.SortedFunc(slices.Values(want), byID)
	}
	return slices.EqualFunc(got, want, func(a, b row) bool {
		return a.entity == b.entity && a.sync == b.sync && slices.Equal(a.values, b.values)
	})
}

// The codes of TypeScript are the kinds of Go.
func TestErrorCodesAreThoseOfTypeScript(t *testing.T) {
	source, err := os.ReadFile("../../js/src/errors.ts")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(source), "export type ErrorCode =")
	list, _, _ = strings.Cut(list, ";")
	var typescript, kinds []string
	for line := range strings.Lines(list) {
		if code, ok := strings.CutPrefix(strings.TrimSpace(line), "| "); ok {
			typescript = append(typescript, strings.Trim(code, "'"))
		}
	}
	for k := core.KindInvalid; ; k++ {
		kinds = append(kinds, k.String())
		if k == core.KindExpired {
			break
		}
	}
	if !slices.Equal(typescript, kinds) {
		t.Errorf("TypeScript has %v, Go has %v", typescript, kinds)
	}
}

// FuzzReceive: no frame makes a session panic, hang or end.
func FuzzReceive(f *testing.F) {
	for _, m := range []frame.Message{
		&frame.Subscribe{Query: 1, Collection: "album", Text: "year > 1 ORDER BY name LIMIT 3"},
		&frame.Fetch{Request: 9, Collection: "album", Text: "name = 'x'"},
		&frame.Create{Request: 10, Tx: 1, Collection: "album", Columns: []string{"name"}, Rows: [][]value.Value{{value.String("x")}}},
		&frame.Edit{Tx: 1, Collection: "album", Columns: []string{"name"}, Values: []value.Value{value.Null}},
		&frame.Commit{Request: 11, Tx: 1},
		&frame.Unsubscribe{Query: 1},
	} {
		f.Add(frame.AppendRequest(frame.Begin(nil), m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld(t, nil, bridge.Limits{Ready: 1})
		p := w.visit()
		p.ask(&frame.Hello{Request: 1 << 40, Name: "x", Models: []*schema.Model{album}})
		p.session.Receive(b)
		answer := p.ask(&frame.Fetch{Request: 1 << 41, Collection: "album"})
		if failed, ok := answer.(*frame.Failed); ok && failed.Err.Code == "closed" {
			t.Errorf("the session ended: %+v", failed.Err)
		}
	})
}

// A commit's rows are pending with its answer; the acknowledgement tells that they are synced,
// and not once more what they hold.
func TestRowsTellHowFarTheyAreInStep(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY name"}, &frame.Subscribe{Query: 2, Collection: "album", Text: "$sync = 'pending'"})
	p.until("live", func() bool { return p.status[1] == frame.QueryLive && p.status[2] == frame.QueryLive })
	e := p.commitAlbums(1, albumRow("one", 1))[0]
	p.until("acknowledged", func() bool { return len(p.rows[1]) == 1 && p.rows[1][0].sync == core.Synced && len(p.rows[2]) == 0 })
	var deltas []frame.Change
	for _, m := range p.seen() {
		if d, ok := m.(*frame.Delta); ok && d.Query == 1 {
			deltas = append(deltas, d.Changes...)
		}
	}
	if len(deltas) != 2 || deltas[0].Sync != core.Pending || len(deltas[0].Values) == 0 {
		t.Fatalf("told %+v", deltas)
	}
	if want := (frame.Change{Op: frame.OpUpdated, Entity: e}); !reflect.DeepEqual(deltas[1], want) {
		t.Errorf("acknowledged: told %+v, want %+v", deltas[1], want)
	}
}

// A commit in the place of a refused transaction takes the refusal along, on every page.
func TestCommitInThePlaceOfARefusedTransaction(t *testing.T) {
	w := newWorld(t, deny{policy.Permissive()}, bridge.Limits{})
	p, other := w.join(), w.join()
	p.commitAlbums(1, albumRow("refused", 1984))
	var refused []frame.Rejection
	rejections := func(p *page, n int) func() bool {
		return func() bool {
			for _, m := range slices.Backward(p.log) {
				if list, ok := m.(*frame.Rejections); ok {
					refused = list.List
					return len(refused) == n
				}
			}
			return false
		}
	}
	p.until("it is refused", rejections(p, 1))
	p.send(p.create(2, albumRow("allowed", 1985)))
	again := &frame.Commit{Request: p.next(), Tx: 2, Replaces: refused[0].Transaction}
	if _, ok := p.ask(again).(*frame.Committed); !ok {
		t.Fatal("it is not committed")
	}
	other.until("every page knows", rejections(other, 0))
	if err := p.refused(&frame.Commit{Request: p.next(), Tx: 3, Replaces: again.Replaces}); err.Code != "not-found" {
		t.Errorf("a second time: %+v", err)
	}
	for tx := range 3 {
		p.commitAlbums(uint64(4+tx), albumRow("refused", 1984))
	}
	p.until("they are refused", rejections(p, 3))
	if _, ok := p.ask(&frame.Dismiss{Request: p.next()}).(*frame.Done); !ok {
		t.Error("they are not dismissed")
	}
	other.until("all are gone", rejections(other, 0))
}
