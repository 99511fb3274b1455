package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

func historyOf(t *testing.T, c *core.Context, e id.EntityID, o core.HistoryOptions) *core.History {
	t.Helper()
	h, err := c.History(t.Context(), "album", e, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// told puts a history into words, the latest first.
func told(h *core.History) string {
	var out []string
	for _, r := range h.Revisions {
		var words []string
		for _, c := range r.Changes {
			words = append(words, fmt.Sprintf("%s %v→%v", c.Property, c.Before, c.After))
		}
		line := strings.Join(words, " ")
		if r.User != "" {
			line = r.User + ": " + line
		}
		if r.Pending {
			line += " (pending)"
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// lived is an album with a life: created, edited, deleted, restored.
func lived(t *testing.T, n *core.Node) id.EntityID {
	t.Helper()
	e := create(t, n, "Showbiz", 1998)
	edit(t, n, e, "year", value.Int(1999))
	for _, mark := range []func(*core.Tx) error{
		func(tx *core.Tx) error { return tx.Delete(t.Context(), "album", e) },
		func(tx *core.Tx) error { return tx.Restore(t.Context(), "album", e) },
	} {
		tx := anonymous(n).Begin()
		if err := mark(tx); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
	}
	return e
}

const life = `$deleted true→false
$deleted NULL→true
year 1998→1999
name NULL→"Showbiz" year NULL→1998`

func TestHistory(t *testing.T) {
	server := durable(t, core.Options{})
	for place, n := range map[string]*core.Node{"durable": server, "peer": connected(t, server, core.Options{})} {
		t.Run(place, func(t *testing.T) {
			e := lived(t, n)
			eventually(t, "all is sent", func() bool { return n.Status().Pending == 0 })
			h := historyOf(t, anonymous(n), e, core.HistoryOptions{})
			if got := told(h); got != life {
				t.Errorf("the history is\n%s\nwant\n%s", got, life)
			}
			created := h.Revisions[3]
			if created.Event != id.EventID(e) || created.Author != n.ID() || len(created.Parents) != 0 || time.Since(created.Time) > time.Minute {
				t.Errorf("created by %+v", created)
			}
			for i, r := range h.Revisions[:3] {
				if !r.Parents.Equal(proto.Clock{h.Revisions[i+1].Event}) {
					t.Errorf("revision %d is on top of %v", i, r.Parents)
				}
			}
			for i, want := range []string{"1999", "not found", "1999", "1998"} {
				m := core.Moment{Events: proto.Clock{h.Revisions[i].Event}}
				if got := yearAsOf(t, n, e, m); got != want {
					t.Errorf("as of revision %d the year is %s, want %s", i, got, want)
				}
			}
			if got := yearAsOf(t, n, e, core.Moment{Time: created.Time.Add(-time.Hour)}); got != "not found" {
				t.Errorf("before it was created the year was %s", got)
			}
			if got := yearAsOf(t, n, e, core.Moment{Time: h.Revisions[0].Time}); got != "1999" {
				t.Errorf("at last the year was %s", got)
			}
			diff, err := anonymous(n).Difference(t.Context(), "album", e,
				core.Moment{Events: proto.Clock{created.Event}}, core.Moment{Events: proto.Clock{h.Revisions[2].Event}})
			if want := []core.PropertyChange{{Property: "year", Before: value.Int(1998), After: value.Int(1999)}}; err != nil || !slices.Equal(diff, want) {
				t.Errorf("the difference is %v, %v", diff, err)
			}
		})
	}
}

func yearAsOf(t *testing.T, n *core.Node, e id.EntityID, m core.Moment) string {
	t.Helper()
	view, err := anonymous(n).AsOf(t.Context(), "album", e, m)
	switch {
	case core.KindOf(err) == core.KindNotFound:
		return "not found"
	case err != nil:
		t.Fatal(err)
	}
	return view.Field("year").String()
}

func TestHistoryInPages(t *testing.T) {
	server := durable(t, core.Options{})
	n := connected(t, server, core.Options{})
	e := create(t, server, "Drones", 2000)
	for y := 2001; y <= 2010; y++ {
		edit(t, server, e, "year", value.Int(int64(y)))
	}
	whole := historyOf(t, anonymous(n), e, core.HistoryOptions{})
	if len(whole.Revisions) != 11 || !whole.Next.IsZero() {
		t.Fatalf("%d revisions, next %s", len(whole.Revisions), whole.Next)
	}
	for size := 1; size <= 12; size++ {
		var all []id.EventID
		o := core.HistoryOptions{Limit: size}
		for pages := 0; pages == 0 || !o.Before.IsZero(); pages++ {
			page := historyOf(t, anonymous(n), e, o)
			if len(page.Revisions) == 0 || len(page.Revisions) > size {
				t.Fatalf("a page of %d revisions, not %d", len(page.Revisions), size)
			}
			for _, r := range page.Revisions {
				all = append(all, r.Event)
			}
			o.Before = page.Next
		}
		if !slices.EqualFunc(all, whole.Revisions, func(e id.EventID, r core.Revision) bool { return e == r.Event }) {
			t.Errorf("pages of %d have %v", size, all)
		}
	}
}

// Concurrent edits do not see each other, and what is as of one of them does not show the
// other.
func TestHistoryOfConcurrentEdits(t *testing.T) {
	server := durable(t, core.Options{})
	w, _ := greeted(t, server)
	a := w.creation("album", fields("Absolution", 2000))
	b := w.edit(a, with("year", 2001))
	c := w.edit(a, with("name", "Absolution!", "year", 2002))
	d := w.mint(&proto.Event{Collection: "album", Entity: a.Entity, Parents: proto.NewClock(b.ID, c.ID), Author: w.node, Operations: operationsOf(with("year", 2003))})
	for _, event := range []*proto.Event{a, b, c, d} {
		w.send(w.commit(event))
		w.ack()
	}
	h := historyOf(t, anonymous(server), a.Entity, core.HistoryOptions{})
	seen := map[id.EventID]string{}
	for _, r := range h.Revisions {
		seen[r.Event] = told(&core.History{Revisions: []core.Revision{r}})
	}
	winner := max(b.ID.String(), c.ID.String())
	saw := map[bool]string{true: "2001", false: "2002"}[winner == b.ID.String()]
	for event, want := range map[*proto.Event]string{
		b: "year 2000→2001", c: `name "Absolution"→"Absolution!" year 2000→2002`, d: "year " + saw + "→2003",
	} {
		if seen[event.ID] != want {
			t.Errorf("it did %q, want %q", seen[event.ID], want)
		}
	}
	for _, as := range []struct {
		of   proto.Clock
		want string
	}{{proto.Clock{b.ID}, "2001"}, {proto.Clock{c.ID}, "2002"}, {proto.NewClock(b.ID, c.ID), saw}, {proto.Clock{d.ID}, "2003"}} {
		if got := yearAsOf(t, server, a.Entity, core.Moment{Events: as.of}); got != as.want {
			t.Errorf("as of %v the year is %s, want %s", as.of, got, as.want)
		}
	}
}

func TestPendingEditsAreInTheHistory(t *testing.T) {
	agent := &scripted{Agent: policy.Permissive()}
	server := durable(t, core.Options{Policy: agent})
	n := connected(t, server, core.Options{})
	e := create(t, n, "Will of the People", 2021)
	eventually(t, "it is sent", func() bool { return n.Status().Pending == 0 })
	held := make(chan struct{})
	agent.set(func() {
		agent.write = func(policy.Principal, policy.Write) error { <-held; return nil }
	})
	edit(t, n, e, "year", value.Int(2022))
	fresh := create(t, n, "Unheard of", 2030)
	if got, want := told(historyOf(t, anonymous(n), e, core.HistoryOptions{})), `year 2021→2022 (pending)
name NULL→"Will of the People" year NULL→2021`; got != want {
		t.Errorf("the history is\n%s\nwant\n%s", got, want)
	}
	if got, want := told(historyOf(t, anonymous(n), fresh, core.HistoryOptions{})), `name NULL→"Unheard of" year NULL→2030 (pending)`; got != want {
		t.Errorf("the history is\n%s\nwant\n%s", got, want)
	}
	close(held)
	eventually(t, "it is sent", func() bool { return n.Status().Pending == 0 })
	if got := told(historyOf(t, anonymous(n), e, core.HistoryOptions{})); strings.Contains(got, "pending") || strings.Count(got, "\n") != 1 {
		t.Errorf("the history is\n%s", got)
	}
}

func TestNoHistory(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{HistoryEvents: 3}})
	n := connected(t, server, core.Options{})
	long := create(t, server, "Long", 2000)
	for range 3 {
		edit(t, server, long, "year", value.Int(1))
	}
	elsewhere := core.Moment{Events: proto.Clock{id.EventID(long)}}
	short := create(t, server, "Short", 2000)
	for _, on := range []*core.Node{server, n} {
		c := anonymous(on)
		_, none := c.History(t.Context(), "album", id.EntityID{ULID: id.New(nil)}, core.HistoryOptions{})
		_, collection := c.History(t.Context(), "planet", short, core.HistoryOptions{})
		_, tooLong := c.History(t.Context(), "album", long, core.HistoryOptions{})
		_, foreign := c.AsOf(t.Context(), "album", short, elsewhere)
		for i, x := range []struct {
			err  error
			want core.Kind
		}{{none, core.KindNotFound}, {collection, core.KindSchema}, {tooLong, core.KindLimit}, {foreign, core.KindNotFound}} {
			if core.KindOf(x.err) != x.want {
				t.Errorf("durable %v, %d: %v, want kind %s", on == server, i, x.err, x.want)
			}
		}
	}
	alone := openAlbums(t, core.Options{})
	if _, err := anonymous(alone).History(t.Context(), "album", short, core.HistoryOptions{}); !errors.Is(err, core.ErrOffline) {
		t.Errorf("offline: %v", err)
	}
}

// The past is behind the same walls as the present: what nobody but root could read then,
// and what cannot be read now, is in no history.
func TestScopeOfHistory(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	e := by(t, server, "muse", "Showbiz")
	change(t, server, e, "name", "secret")
	change(t, server, e, "name", "Uno")
	change(t, server, e, "artist", "queen", "name", "taken")
	change(t, server, e, "artist", "muse", "name", "back")
	revisions := historyOf(t, server.Context(root), e, core.HistoryOptions{}).Revisions
	client, _ := signedIn(t, server, "muse", core.Options{})
	for place, c := range map[string]*core.Context{
		"durable": server.Context(policy.Principal{Name: "muse"}), "peer": anonymous(client),
	} {
		want := "root: artist NULL→\"muse\" name NULL→\"back\"\nroot: name NULL→\"Uno\"\nroot: artist NULL→\"muse\" name NULL→\"Showbiz\""
		if got := told(historyOf(t, c, e, core.HistoryOptions{})); got != want {
			t.Errorf("%s: the history is\n%s\nwant\n%s", place, got, want)
		}
		for i, r := range revisions {
			_, err := c.AsOf(t.Context(), "album", e, core.Moment{Events: proto.Clock{r.Event}})
			if hidden := i == 1 || i == 3; hidden != (core.KindOf(err) == core.KindNotFound) {
				t.Errorf("%s: as of revision %d: %v", place, i, err)
			}
		}
	}
	change(t, server, e, "artist", "queen")
	for place, c := range map[string]*core.Context{"durable": server.Context(policy.Principal{Name: "muse"}), "peer": anonymous(client)} {
		if _, err := c.History(t.Context(), "album", e, core.HistoryOptions{}); core.KindOf(err) != core.KindNotFound {
			t.Errorf("%s: of what cannot be read: %v", place, err)
		}
	}
}
