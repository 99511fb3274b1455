package core_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// owned is an agent under which each user sees and writes what is named after it.
func owned() *scripted {
	return &scripted{
		Agent:        policy.Permissive(),
		authenticate: func(name string) (policy.Principal, error) { return policy.Principal{Name: name}, nil },
		narrow:       func(p policy.Principal, _ string) (string, error) { return "artist = '" + p.Name + "'", nil },
		write: func(p policy.Principal, w policy.Write) error {
			if artist, _ := w.After.Field("artist").AsString(); artist != p.Name {
				return policy.Denied("not yours")
			}
			if name, _ := w.After.Field("name").AsString(); name == "bad" {
				return policy.Denied("bad")
			}
			return nil
		},
	}
}

// TestAnotherUser: what a node holds for one user is not shown to another, however the query is
// asked and although nothing is live yet; what the first has not sent, and what was refused, waits
// for the first to come back, over restarts, and is neither shown to the other nor sent for it.
func TestAnotherUser(t *testing.T) {
	server := durable(t, core.Options{Policy: owned()})
	ctx := server.Context(policy.Principal{Name: "ann"})
	tx := ctx.Begin()
	e, err := tx.Create(t.Context(), "album", with("name", "ann's", "artist", "ann"))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	disk := memory.NewDisk()
	node := openAlbums(t, core.Options{Engine: disk.Open()})
	as := func(user string) *core.Link {
		dialer := local.NewDialer(server, local.Options{})
		link := node.Dial(dialer, core.DialOptions{Credentials: []byte(user)})
		t.Cleanup(func() { link.Close(); dialer.Close() })
		waitLive(t, node)
		return link
	}
	leave := func(link *core.Link) {
		offline(t, node, link)
	}
	shown := func() string { return rowStates(watch(t, node, "album", "ORDER BY name")) }
	rejected := func() int {
		list, err := node.Rejections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}

	early := add(t, node, "album", "name", "early", "artist", "ann") // before anybody is known
	link := as("ann")
	delivered(t, node)
	q := liveOn(t, node, "ORDER BY name")
	if got := rowStates(q); got != "ann's synced, early synced" {
		t.Fatal(got)
	}
	if err := put(t, node, "album", early, "name", "bad").Synced(t.Context()); core.KindOf(err) != core.KindDenied {
		t.Fatal(err)
	}
	leave(link)
	waiting := put(t, node, "album", e, "name", "ann's own")
	add(t, node, "album", "name", "draft", "artist", "ann")
	if got := shown(); got != "ann's own pending, draft pending, early refused" {
		t.Fatal(got)
	}

	link = as("bob")
	if got := shown(); got != "" || node.Status().Pending != 0 || rejected() != 0 {
		t.Fatalf("bob is shown %q, %d pending, %d rejected", got, node.Status().Pending, rejected())
	}
	eventually(t, "an open query shows bob's", func() bool { return rowStates(q) == "" && q.Status() == core.QueryLive })
	add(t, node, "album", "name", "bob's", "artist", "bob")
	delivered(t, node)
	leave(link)
	if got := shown(); got != "bob's synced" {
		t.Fatal(got)
	}
	for _, query := range []string{"$sync = 'pending'", "$sync = 'refused'", "artist = 'ann'", "id = '" + e.String() + "'"} {
		if got := rowStates(watch(t, node, "album", query)); got != "" {
			t.Errorf("bob asks for %s and is shown %s", query, got)
		}
	}
	if again := rowStates(watch(t, server, "album", "name = 'draft' OR name = 'ann''s own'")); again != "" {
		t.Fatalf("sent in bob's name: %s", again)
	}

	node.Close()
	node = open(t, core.Options{Engine: disk.Open()})
	link = as("ann")
	delivered(t, node)
	if err := waiting.Synced(t.Context()); core.KindOf(err) != core.KindClosed {
		t.Errorf("of the node that was closed: %v", err)
	}
	if rejected() != 1 {
		t.Errorf("%d rejections wait for ann", rejected())
	}
	q = liveOn(t, node, "ORDER BY name")
	eventually(t, "all of ann's, and of hers only", func() bool { return rowStates(q) == "ann's own synced, draft synced, early refused" })
	list, err := node.Rejections(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := node.DismissRejections(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "dismissed", func() bool { return rowStates(q) == "ann's own synced, draft synced, early synced" })
	leave(link)
	as("bob")
	q = liveOn(t, node, "ORDER BY name")
	eventually(t, "bob's", func() bool { return rowStates(q) == "bob's synced" })
}

// TestReceiptOfAUserWhoIsAway: it waits until that one is back.
func TestReceiptOfAUserWhoIsAway(t *testing.T) {
	server := durable(t, core.Options{Policy: owned()})
	node := openAlbums(t, core.Options{})
	dialer := local.NewDialer(server, local.Options{})
	defer dialer.Close()
	link := node.Dial(dialer, core.DialOptions{Credentials: []byte("ann")})
	waitLive(t, node)
	offline(t, node, link)
	tx := anonymous(node).Begin()
	if _, err := tx.Create(t.Context(), "album", with("name", "draft", "artist", "ann")); err != nil {
		t.Fatal(err)
	}
	receipt := commit(t, tx)
	link = node.Dial(dialer, core.DialOptions{Credentials: []byte("bob")})
	waitLive(t, node)
	if err := receipt.Synced(settledAlready()); err == nil {
		t.Error("bob sent it")
	}
	offline(t, node, link)
	link = node.Dial(dialer, core.DialOptions{Credentials: []byte("ann")})
	defer link.Close()
	synced(t, receipt)
}
