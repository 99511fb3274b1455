package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
)

// scoped is an agent under which everybody sees the albums whose artist has their name;
// the credentials are the name. Nobody sees one that is called secret, and nobody moves
// one out of or into somebody else's scope.
func scoped() *scripted {
	own := func(p policy.Principal, f policy.Fields) bool {
		artist, _ := f.Field("artist").AsString()
		return p.Name == "root" || artist == p.Name
	}
	return &scripted{
		Agent: policy.Permissive(),
		authenticate: func(credentials string) (policy.Principal, error) {
			if credentials == "" {
				return policy.Principal{}, policy.Denied("who are you?")
			}
			return policy.Principal{Name: credentials}, nil
		},
		narrow: func(p policy.Principal, collection string) (string, error) {
			switch {
			case p.Name == "root":
				return "", nil
			case collection != "album":
				return "", policy.Denied("%s is not for %s", collection, p.Name)
			}
			return "artist = '" + strings.ReplaceAll(p.Name, "'", "''") + "'", nil
		},
		read: func(p policy.Principal, _ string, f policy.Fields) error {
			if name, _ := f.Field("name").AsString(); name == "secret" && p.Name != "root" {
				return policy.Denied("it is a secret")
			}
			return nil
		},
		write: func(p policy.Principal, w policy.Write) error {
			if w.Before != nil && !own(p, w.Before) || !own(p, w.After) {
				return policy.Denied("it is not %s's", p.Name)
			}
			return nil
		},
	}
}

var root = policy.Principal{Name: "root"}

func asRoot(t testing.TB, n *core.Node, f func(tx *core.Tx) error) {
	t.Helper()
	tx := n.Context(root).Begin()
	if err := f(tx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// by creates an album of an artist's, as root.
func by(t testing.TB, n *core.Node, artist, title string) (e id.EntityID) {
	t.Helper()
	asRoot(t, n, func(tx *core.Tx) (err error) {
		e, err = tx.Create(t.Context(), "album", with("name", title, "artist", artist))
		return err
	})
	return e
}

func change(t testing.TB, n *core.Node, e id.EntityID, pairs ...any) {
	t.Helper()
	asRoot(t, n, func(tx *core.Tx) error { return tx.Set(t.Context(), "album", e, with(pairs...)) })
}

func signedIn(t *testing.T, server *core.Node, credentials string, opts core.Options) (*core.Node, *core.Link) {
	t.Helper()
	n := openAlbums(t, opts)
	link := n.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{Credentials: []byte(credentials)})
	waitLive(t, n)
	return n, link
}

// TestScopeOnTheDurableNode covers 364, 369, 371: every way of reading shows the same rows.
func TestScopeOnTheDurableNode(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	ann := server.Context(policy.Principal{Name: "ann"})
	mine, theirs, secret := by(t, server, "ann", "mine"), by(t, server, "bob", "theirs"), by(t, server, "ann", "secret")
	q, err := ann.Query("album", selection(t, "ORDER BY name"))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	await(t, "answered", func() bool { return q.Status() == core.QueryLive })
	r := record(t, q)
	tx := ann.Begin()
	defer tx.Rollback()
	for label, rows := range map[string][]*core.View{
		"fetch":    must(ann.Fetch(t.Context(), "album", selection(t, ""))),
		"or":       must(ann.Fetch(t.Context(), "album", selection(t, "name = 'theirs' OR TRUE LIMIT 5"))),
		"tx fetch": must(tx.Fetch(t.Context(), "album", selection(t, ""))),
		"query":    q.Rows(),
	} {
		if len(rows) != 1 || rows[0].ID() != mine {
			t.Errorf("%s shows %d rows", label, len(rows))
		}
	}
	for label, get := range map[string]func(e id.EntityID) error{
		"get":    func(e id.EntityID) error { _, err := ann.Get(t.Context(), "album", e); return err },
		"tx get": func(e id.EntityID) error { _, err := tx.Get(t.Context(), "album", e); return err },
	} {
		ghost := id.EntityID{ULID: id.New(nil)}
		if err := get(mine); err != nil {
			t.Errorf("%s own: %v", label, err)
		}
		// What is out of scope is as if it did not exist.
		if err, none := get(theirs), get(ghost); !errors.Is(err, core.ErrNotFound) || strings.ReplaceAll(err.Error(), theirs.String(), "") != strings.ReplaceAll(none.Error(), ghost.String(), "") {
			t.Errorf("%s somebody else's: %v", label, err)
		}
		if err := get(secret); core.KindOf(err) != core.KindDenied {
			t.Errorf("%s secret: %v", label, err)
		}
	}
	if _, err := ann.Query("pet", selection(t, "")); err == nil {
		t.Error("a collection without a model can be queried")
	}

	change(t, server, theirs, "artist", "ann")
	change(t, server, secret, "name", "told")
	change(t, server, mine, "artist", "bob")
	change(t, server, theirs, "name", "secret")
	r.want("added theirs", "added told", "removed mine", "removed theirs")
}

// TestScopeAcrossNodes covers 371, 377 to 379: a client is sent what its principal may
// see, and nothing of what it may not, however it asks.
func TestScopeAcrossNodes(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	mine, theirs, secret := by(t, server, "ann", "mine"), by(t, server, "bob", "theirs"), by(t, server, "ann", "secret")
	a, _ := signedIn(t, server, "ann", core.Options{})
	q, window := watch(t, a, "album", "ORDER BY name"), watch(t, a, "album", "ORDER BY name LIMIT 2")
	r := record(t, q)
	live := func() bool { return q.Status() == core.QueryLive && window.Status() == core.QueryLive }
	eventually(t, "live", live)
	if rowNames(q, "name") != "mine" || rowNames(window, "name") != "mine" {
		t.Fatalf("shows %q and %q", rowNames(q, "name"), rowNames(window, "name"))
	}
	for _, e := range []id.EntityID{theirs, secret} {
		if _, err := anonymous(a).Get(t.Context(), "album", e); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("get: %v", err)
		}
	}
	if rows, err := anonymous(a).Fetch(t.Context(), "album", selection(t, "name = 'theirs' OR name = 'secret' OR name = 'mine'")); err != nil || len(rows) != 1 {
		t.Errorf("fetch: %d rows, %v", len(rows), err)
	}

	fresh := by(t, server, "ann", "new")
	by(t, server, "bob", "not for ann")
	by(t, server, "ann", "secret")
	change(t, server, fresh, "name", "renamed")
	change(t, server, mine, "artist", "bob", "name", "bob's now")
	change(t, server, mine, "name", "bob's still")
	change(t, server, theirs, "artist", "ann")
	change(t, server, fresh, "name", "secret")
	by(t, server, "ann", "last")
	eventually(t, "all of it", func() bool {
		return rowNames(q, "name") == "last theirs" && rowNames(window, "name") == "last theirs" && r.shown() == "last theirs"
	})
	for _, e := range []id.EntityID{mine, fresh} {
		if _, err := anonymous(a).Get(t.Context(), "album", e); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("what left the scope: %v", err)
		}
	}
	if w := watch(t, a, "album", "name = 'bob''s now' OR name = 'secret'"); len(w.Rows()) != 0 {
		t.Errorf("holds what it may not see: %v", rowNames(w, "name"))
	}
}

// TestScopeOnTheWire is 379 to the byte: whoever loses sight of a row is told its id, and
// nothing else; whoever never saw it is told nothing.
func TestScopeOnTheWire(t *testing.T) {
	agent := scoped()
	server := durable(t, core.Options{Policy: agent})
	e, other := by(t, server, "ann", "mine"), by(t, server, "bob", "theirs")
	w, _ := raw(t, server)
	w.send(&proto.Hello{Node: w.node, Credentials: []byte("ann")})
	until[*proto.Welcome](w)
	for i, text := range []string{"", "year IS NULL", "ORDER BY name LIMIT 3"} {
		w.send(&proto.Subscribe{Sub: uint64(i + 1), Collection: "album", Text: text})
		for m := until[*proto.Rows](w); ; m = until[*proto.Rows](w) {
			for _, row := range m.Rows {
				if row.Entity != e {
					t.Errorf("sent %v", row)
				}
			}
			if m.Done {
				break
			}
		}
	}
	quiet := func(label string) proto.Position {
		t.Helper()
		w.send(&proto.Ping{})
		for {
			switch m := w.receive().(type) {
			case *proto.Update:
				t.Errorf("%s: told %+v", label, m.Changes)
			case *proto.Pong:
				return m.Position
			}
		}
	}
	before := quiet("nothing happened")
	change(t, server, other, "name", "theirs again")
	secret := by(t, server, "ann", "secret")
	change(t, server, secret, "year", 7)
	quiet("what it may not see")

	change(t, server, e, "artist", "bob", "name", "private")
	m := until[*proto.Update](w)
	if len(m.Changes) == 0 {
		t.Fatal("not told that a row is gone")
	}
	for _, c := range m.Changes {
		if c.Entity != e || c.Kind != proto.RowGone || len(c.Properties) != 0 || len(c.Head) != 0 {
			t.Errorf("told %+v", c)
		}
	}
	change(t, server, e, "name", "more private")
	quiet("after it is gone")

	asRoot(t, server, func(tx *core.Tx) error { return tx.Delete(t.Context(), "album", e) })
	asRoot(t, server, func(tx *core.Tx) error { return tx.Restore(t.Context(), "album", e) })
	quiet("deleted and restored elsewhere")

	// By a resume, too: it was there before, and left since.
	w.send(&proto.Unsubscribe{Sub: 1})
	w.send(&proto.Subscribe{Sub: 9, Collection: "album", After: before})
	for m := until[*proto.Rows](w); ; m = until[*proto.Rows](w) {
		for _, row := range m.Rows {
			t.Errorf("resumed with %v", row)
		}
		for _, gone := range m.Gone {
			if gone != e {
				t.Errorf("told of %s, which is e %v, secret %v, other %v", gone, gone == e, gone == secret, gone == other)
			}
		}
		if m.Done {
			break
		}
	}
	w.send(&proto.Get{Request: 10, Collection: "album", Entities: []id.EntityID{e, other, secret, {ULID: id.New(nil)}}})
	if m := until[*proto.Rows](w); len(m.Rows)+len(m.Gone)+len(m.Same) != 0 || !m.Done {
		t.Errorf("got %+v", m)
	}
	w.send(&proto.Subscribe{Sub: 11, Collection: "pet"})
	if m := until[*proto.Reply](w); m.Kind == uint64(core.KindNone) {
		t.Errorf("subscribed to a collection that is not there: %+v", m)
	}
}

// TestWriteScope is 372: a write must be allowed before and after, also one by id of a
// row that its author cannot see.
func TestWriteScope(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	mine, theirs := by(t, server, "ann", "mine"), by(t, server, "bob", "theirs")
	w, _ := raw(t, server)
	w.send(&proto.Hello{Node: w.node, Credentials: []byte("ann")})
	until[*proto.Welcome](w)
	event := func(e id.EntityID, pairs ...any) *proto.Event {
		v := must(server.Context(root).Get(t.Context(), "album", e))
		return w.mint(&proto.Event{Collection: "album", Entity: e, Parents: v.State().Head, Author: w.node, User: "ann", Operations: operationsOf(with(pairs...))})
	}
	for _, c := range []struct {
		label string
		event *proto.Event
		ok    bool
	}{
		{"create her own", w.creation("album", with("artist", "ann", "name", "x")), true},
		{"create another's", w.creation("album", with("artist", "bob", "name", "x")), false},
		{"edit her own", event(mine, "name", "better"), true},
		{"edit another's", event(theirs, "name", "worse"), false},
		{"take another's", event(theirs, "artist", "ann"), false},
		{"give hers away", event(mine, "artist", "bob"), false},
	} {
		w.send(w.commit(c.event))
		if c.ok {
			w.ack()
		} else if m := w.nack(); m.Kind != uint64(core.KindDenied) || strings.Contains(m.Message, "theirs") {
			t.Errorf("%s: %v", c.label, m)
		}
	}
	if v := must(server.Context(root).Get(t.Context(), "album", theirs)); text(v, "name") != "theirs" {
		t.Errorf("theirs is %q", text(v, "name"))
	}
}

// TestScopeOfReferences is 369 and 370: a scope is converted to the model's types like any
// selection; one that cannot be is refused and shows nothing.
func TestScopeOfReferences(t *testing.T) {
	agent := &scripted{Agent: policy.Permissive()}
	server := durable(t, core.Options{Policy: agent})
	if err := server.Register(t.Context(), pet); err != nil {
		t.Fatal(err)
	}
	owner := create(t, server, "owner", 1)
	mine := add(t, server, "pet", "name", "mine", "owner", owner)
	theirs := add(t, server, "pet", "name", "theirs", "owner", create(t, server, "another", 1))
	agent.set(func() {
		agent.narrow = func(_ policy.Principal, collection string) (string, error) {
			if collection == "pet" {
				return "owner = '" + owner.String() + "' AND age IS NULL", nil
			}
			return "", nil
		}
	})
	ann := server.Context(policy.Principal{Name: "ann"})
	rows, err := ann.Fetch(t.Context(), "pet", selection(t, ""))
	if err != nil || len(rows) != 1 {
		t.Errorf("fetch: %d rows, %v", len(rows), err)
	}
	if _, err := ann.Get(t.Context(), "pet", mine); err != nil {
		t.Errorf("get of what fetch shows: %v", err)
	}
	if _, err := ann.Get(t.Context(), "pet", theirs); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("get of what it does not show: %v", err)
	}
	w, _ := greeted(t, server)
	w.send(&proto.Subscribe{Sub: 1, Collection: "pet"})
	if m := until[*proto.Rows](w); len(m.Rows) != 1 {
		t.Errorf("subscribed to %d rows", len(m.Rows))
	}
	add(t, server, "pet", "name", "new", "owner", owner)
	if m := until[*proto.Update](w); len(m.Changes) != 1 || m.Changes[0].Kind != proto.RowState {
		t.Errorf("told %+v", m)
	}

	agent.set(func() {
		agent.narrow = func(policy.Principal, string) (string, error) { return "owner = 'not an id'", nil }
	})
	if rows, err := ann.Fetch(t.Context(), "pet", selection(t, "")); len(rows) != 0 {
		t.Errorf("a scope that cannot be read shows %d rows, %v", len(rows), err)
	}
	if _, err := ann.Get(t.Context(), "pet", mine); err == nil {
		t.Error("a scope that cannot be read lets get through")
	}
}

// TestScopeAfterAnAbsence: what left the scope while a client was away is gone when it is
// back, and what came is there.
func TestScopeAfterAnAbsence(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	var rows []id.EntityID
	for i := range 10 {
		rows = append(rows, by(t, server, "ann", fmt.Sprint(i)))
	}
	a, link := signedIn(t, server, "ann", core.Options{})
	q, window := watch(t, a, "album", "ORDER BY name"), watch(t, a, "album", "ORDER BY name LIMIT 3")
	eventually(t, "ten", func() bool {
		return len(q.Rows()) == 10 && q.Status() == core.QueryLive && window.Status() == core.QueryLive
	})
	link.Close()
	eventually(t, "offline", func() bool { return a.Status().Connection == core.Offline })
	for i, e := range rows {
		switch i % 3 {
		case 0:
			change(t, server, e, "artist", "bob", "name", "private")
		case 1:
			change(t, server, e, "name", "secret")
		}
	}
	by(t, server, "ann", "new")
	a.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{Credentials: []byte("ann")})
	shows(t, q, "2 5 8 new ")
	shows(t, window, "2 5 8 ")
	for i, e := range rows {
		_, err := anonymous(a).Get(t.Context(), "album", e)
		if (i%3 == 2) != (err == nil) {
			t.Errorf("row %d: %v", i, err)
		}
	}
}

// TestRefusedWriteRollsBack is 280 with scopes: a write that the server refuses is taken
// back on the client and says why.
func TestRefusedWriteRollsBack(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	mine := by(t, server, "ann", "mine")
	a, _ := signedIn(t, server, "ann", core.Options{})
	q := watch(t, a, "album", "ORDER BY name")
	shows(t, q, "mine ")
	receipt := put(t, a, "album", mine, "artist", "bob")
	if err := receipt.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
		t.Errorf("synced: %v", err)
	}
	eventually(t, "taken back", func() bool {
		return len(q.Rows()) == 1 && text(q.Rows()[0], "artist") == "ann" && !q.Rows()[0].Pending()
	})
}
