package core_test

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// TestRejections: refused transactions are kept, with the reason, across restarts, until
// they are dismissed; the oldest go when there are too many.
func TestRejections(t *testing.T) {
	server := durable(t, core.Options{Policy: refuser{policy.Permissive()}})
	disk := memory.NewDisk()
	limits := core.Limits{Rejections: 3}
	a := connected(t, server, core.Options{Engine: disk.Open(), Limits: limits})
	var settled []core.Settled
	var mu sync.Mutex
	stop := a.OnSettled(func(s core.Settled) {
		mu.Lock()
		defer mu.Unlock()
		settled = append(settled, s)
	})
	var refused []id.TransactionID
	for range 5 {
		tx := anonymous(a).Begin()
		if _, err := tx.Create(t.Context(), "album", with("name", "forbidden")); err != nil {
			t.Fatal(err)
		}
		receipt := commit(t, tx)
		if err := receipt.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
			t.Fatalf("synced: %v", err)
		}
		refused = append(refused, receipt.Transaction())
	}
	fine := add(t, a, "album", "name", "fine")
	eventually(t, "delivered", func() bool { return a.Status().Pending == 0 })
	stop()
	mu.Lock()
	for i, s := range settled {
		if (i < 5) != (core.KindOf(s.Err) == core.KindDenied) {
			t.Errorf("settled %d: %v", i, s)
		}
	}
	if len(settled) != 6 {
		t.Errorf("%d settled", len(settled))
	}
	mu.Unlock()

	check := func(n *core.Node, want ...id.TransactionID) {
		t.Helper()
		list, err := n.Rejections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []id.TransactionID
		for _, r := range list {
			got = append(got, r.Transaction)
			if r.Kind != core.KindDenied || r.Message == "" || r.Time.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("rejections %v, want %v", got, want)
		}
	}
	check(a, refused[2:]...)
	a.Close()
	if _, err := a.Rejections(t.Context()); core.KindOf(err) != core.KindClosed {
		t.Errorf("of a closed node: %v", err)
	}
	a = open(t, core.Options{Engine: disk.Open(), Limits: limits})
	check(a, refused[2:]...)
	for range 2 {
		if err := a.DismissRejection(t.Context(), refused[3]); err != nil {
			t.Fatal(err)
		}
	}
	check(a, refused[2], refused[4])
	a.Close()
	a = open(t, core.Options{Engine: disk.Open(), Limits: limits})
	check(a, refused[2], refused[4])
	if got := name(t, a, "album", fine); got != "fine" {
		t.Errorf("what was accepted is %q", got)
	}
}

// TestRetriedRejections: what was refused is kept with what it would have done, over a
// restart, and can be made again: with the ids that were given out, on top of what the
// entities are by then, and by what depended on it after it.
func TestRetriedRejections(t *testing.T) {
	agent := &scripted{Agent: policy.Permissive()}
	deny := func(_ policy.Principal, w policy.Write) error {
		if name, _ := w.After.Field("name").AsString(); strings.HasPrefix(name, "bad") {
			return policy.Denied("bad")
		}
		return nil
	}
	server := durable(t, core.Options{Policy: agent})
	disk := memory.NewDisk()
	a := connected(t, server, core.Options{Engine: disk.Open()})
	known := create(t, a, "known", 1)
	eventually(t, "sent", func() bool { return a.Status().Pending == 0 })
	held := make(chan struct{})
	agent.set(func() {
		agent.write = func(p policy.Principal, w policy.Write) error { <-held; return deny(p, w) }
	})
	tx := anonymous(a).Begin()
	made, err := tx.Create(t.Context(), "album", with("name", "bad one", "year", 7))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Set(t.Context(), "album", known, with("year", 2)); err != nil {
		t.Fatal(err)
	}
	first := commit(t, tx)
	second := put(t, a, "album", made, "year", 8) // depends on it
	close(held)
	for _, receipt := range []*core.Receipt{first, second} {
		if err := receipt.Synced(t.Context()); err == nil {
			t.Fatal("it was accepted")
		}
	}
	edit(t, a, known, "artist", value.String("Muse"))
	eventually(t, "sent", func() bool { return a.Status().Pending == 0 })
	a.Close()
	a = connected(t, server, core.Options{Engine: disk.Open()})

	list, err := a.Rejections(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	want := []core.RejectedChange{
		{Collection: "album", Entity: made, Creation: true, Fields: with("name", "bad one", "year", 7)},
		{Collection: "album", Entity: known, Fields: with("year", 2)},
	}
	if got := list[0].Changes(); !reflect.DeepEqual(got, want) {
		t.Errorf("the changes are %+v, want %+v", got, want)
	}
	if _, err := a.RetryRejection(t.Context(), second.Transaction()); core.KindOf(err) != core.KindNotFound {
		t.Errorf("the second before the first: %v", err)
	}
	agent.set(func() { agent.write = nil })
	for _, refused := range []*core.Receipt{first, second} {
		receipt, err := a.RetryRejection(t.Context(), refused.Transaction())
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Transaction() == refused.Transaction() {
			t.Error("the same id twice")
		}
		synced(t, receipt)
		if _, err := a.RetryRejection(t.Context(), refused.Transaction()); core.KindOf(err) != core.KindNotFound {
			t.Errorf("again: %v", err)
		}
	}
	for _, n := range []*core.Node{a, server} {
		if got := rowNames(watch(t, n, "album", "year = 8"), "name"); got != "bad one" {
			t.Errorf("what was refused is %q", got)
		}
		if got := rowNames(watch(t, n, "album", "year = 2 AND artist = 'Muse'"), "name"); got != "known" {
			t.Errorf("what it edited is %q", got)
		}
	}
	if list, err := a.Rejections(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("rejections %v, %v", list, err)
	}

	agent.set(func() { agent.write = deny })
	tx = anonymous(a).Begin()
	if err := tx.Set(t.Context(), "album", known, with("name", "bad again")); err != nil {
		t.Fatal(err)
	}
	refused := commit(t, tx)
	if err := refused.Synced(t.Context()); err == nil {
		t.Fatal("it was accepted")
	}
	receipt, err := a.RetryRejection(t.Context(), refused.Transaction())
	if err != nil {
		t.Fatal(err)
	}
	if err := receipt.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
		t.Errorf("refused again: %v", err)
	}
	if list, err := a.Rejections(t.Context()); err != nil || len(list) != 1 || list[0].Transaction != receipt.Transaction() {
		t.Errorf("rejections %v, %v", list, err)
	}
}

// TestRefusedOnce: what depends on a refused transaction in more than one way is refused, told
// of and listed once.
func TestRefusedOnce(t *testing.T) {
	server := durable(t, core.Options{Policy: refuser{policy.Permissive()}})
	a := openAlbums(t, core.Options{})
	var mu sync.Mutex
	told := make(map[id.TransactionID]int)
	a.OnSettled(func(s core.Settled) {
		mu.Lock()
		defer mu.Unlock()
		told[s.Transaction]++
	})
	first := add(t, a, "album", "name", "forbidden")
	tx := anonymous(a).Begin()
	if err := tx.Set(t.Context(), "album", first, with("year", 1)); err != nil {
		t.Fatal(err)
	}
	second, err := tx.Create(t.Context(), "album", with("name", "on top"))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	tx = anonymous(a).Begin()
	for _, e := range []id.EntityID{first, second} {
		if err := tx.Set(t.Context(), "album", e, with("year", 2)); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, tx)
	local.Connect(server, a)
	eventually(t, "refused", func() bool { return a.Status().Connection == core.Live && a.Status().Pending == 0 })
	list, err := a.Rejections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Errorf("%d rejections, want 3", len(list))
	}
	eventually(t, "told", func() bool { mu.Lock(); defer mu.Unlock(); return len(told) == 3 })
	mu.Lock()
	defer mu.Unlock()
	for tx, times := range told {
		if times != 1 {
			t.Errorf("transaction %s was told of %d times", tx, times)
		}
	}
}

// TestRejectionsTakeBoundedRoom: of the older ones the reason stays.
func TestRejectionsTakeBoundedRoom(t *testing.T) {
	server := durable(t, core.Options{Policy: refuser{policy.Permissive()}})
	a := connected(t, server, core.Options{Limits: core.Limits{RejectionBytes: 700}})
	for range 4 {
		tx := anonymous(a).Begin()
		if _, err := tx.Create(t.Context(), "album", with("name", "forbidden", "artist", strings.Repeat("x", 150))); err != nil {
			t.Fatal(err)
		}
		if err := commit(t, tx).Synced(t.Context()); err == nil {
			t.Fatal("it was accepted")
		}
	}
	list, err := a.Rejections(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatalf("%v, %v", list, err)
	}
	for i := range list {
		if kept := len(list[i].Changes()) > 0; kept != (i >= 2) {
			t.Errorf("the changes of %d are kept: %v", i, kept)
		}
	}
	if _, err := a.RetryRejection(t.Context(), list[0].Transaction); core.KindOf(err) != core.KindTooLarge {
		t.Errorf("retried without its changes: %v", err)
	}
}
