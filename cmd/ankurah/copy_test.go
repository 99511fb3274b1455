package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/server/admin"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

var note = &schema.Model{Collection: "note", Properties: []schema.Property{
	{Name: "title", Type: schema.TypeString},
	{Name: "rank", Type: schema.TypeInt, Optional: true},
}}

// running is a server's node over a store, which answers on an admin socket.
type running struct {
	t      *testing.T
	store  storage.Engine
	node   *core.Node
	socket string
	stop   func()

	mu    sync.Mutex
	made  []id.EntityID // acknowledged
	edits map[id.EntityID]int
}

func run(t *testing.T, setting string) *running {
	t.Helper()
	r := &running{t: t, store: openStore(t, setting), socket: filepath.Join(t.TempDir(), "s"), edits: map[id.EntityID]int{}}
	var err error
	if r.node, err = core.Open(t.Context(), core.Options{Engine: r.store, Durable: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.node.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.node.Register(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	listener, err := admin.Listen(r.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: admin.Handler(admin.Options{
		Node: r.node, Store: r.store, Server: func() admin.Server { return admin.Server{Status: "ready"} }, Drain: r.node.Drain,
		Failed: func(what string, err error) { t.Errorf("%s: %v", what, err) },
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	r.stop = sync.OnceFunc(func() {
		server.Close()
		<-ended
		r.node.Close()
	})
	t.Cleanup(r.stop)
	return r
}

// write makes n transactions of a new note and an edit of an old one.
func (r *running) write(ctx context.Context, n int) {
	for i := range n {
		tx := r.node.Context(policy.Principal{Name: "somebody"}).Begin()
		e, err := tx.Create(ctx, "note", []proto.Field{{Name: "title", Value: value.String(fmt.Sprint("note ", i))}})
		if err == nil && len(r.made) > 0 {
			old := r.made[i%len(r.made)]
			if err = tx.Set(ctx, "note", old, []proto.Field{{Name: "rank", Value: value.Int(int64(r.edits[old]))}}); err == nil {
				r.edits[old]++
			}
		}
		if err == nil {
			_, err = tx.Commit(ctx)
		}
		if err != nil {
			tx.Rollback()
			r.t.Error(err)
			return
		}
		r.mu.Lock()
		r.made = append(r.made, e)
		r.mu.Unlock()
	}
}

// A server is copied to another engine while it is written to; at the switch nothing is lost
// of what it has acknowledged.
func TestCopyOfARunningServer(t *testing.T) {
	dir := t.TempDir()
	home, other := "pebble:"+filepath.Join(dir, "home"), "sqlite:"+filepath.Join(dir, "other.db")
	r := run(t, home)
	r.write(t.Context(), 200)
	for round := range 3 {
		var writing sync.WaitGroup
		writing.Go(func() { r.write(t.Context(), 60) })
		got := ankurah(t, nil, "copy", "--from", "unix:"+r.socket, "--to", other, "--until-caught-up").must(t)
		if !strings.Contains(got.stderr, "caught up: ") || !strings.Contains(got.stderr, "stop the server, and copy the rest from its store") {
			t.Errorf("round %d: %s", round, got.stderr)
		}
		writing.Wait()
		r.write(t.Context(), 5) // not copied yet
	}
	if refused := ankurah(t, nil, "copy", "--from", home, "--to", other); refused.status != exitFailed || !strings.Contains(refused.stderr, "in use by another server") {
		t.Errorf("the store of a running server: %+v", refused)
	}
	half := openStore(t, other)
	if _, err := core.Open(t.Context(), core.Options{Engine: half, Durable: true}); !errors.Is(err, core.ErrRestoring) {
		t.Errorf("a node over a copy that is not whole: %v", err)
	}
	half.Close()
	r.stop()
	last := ankurah(t, nil, "copy", "--from", home, "--to", other).must(t)
	if !strings.Contains(last.stderr, "the copy is whole") {
		t.Errorf("%s", last.stderr)
	}
	ankurah(t, nil, "verify", "--storage", other).must(t)
	there, here := openStore(t, other), openStore(t, home)
	wantEqual(t, there, here)
	here.Close()
	node, err := core.Open(t.Context(), core.Options{Engine: there, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	for _, e := range r.made {
		view, err := node.Context(policy.Principal{}).Get(t.Context(), "note", e)
		if err != nil {
			t.Fatalf("note %s was acknowledged: %v", e, err)
		}
		if edits := r.edits[e]; edits > 0 && view.Field("rank") != value.Int(int64(edits-1)) {
			t.Errorf("note %s has rank %v after %d edits", e, view.Field("rank"), edits)
		}
	}
}

// A copy between stores that nobody uses is one call; and a dump and an inspection of a
// server need no stop.
func TestDumpAndInspectARunningServer(t *testing.T) {
	dir := t.TempDir()
	r := run(t, "sqlite:"+filepath.Join(dir, "home.db"))
	r.write(t.Context(), 50)
	var writing sync.WaitGroup
	writing.Go(func() { r.write(t.Context(), 200) })
	file := filepath.Join(dir, "dump")
	ankurah(t, nil, "dump", "--server", "unix:"+r.socket, "-o", file).must(t)
	writing.Wait()
	if again := ankurah(t, nil, "dump", "--server", "unix:"+r.socket, "-o", file); again.status != exitFailed || !strings.Contains(again.stderr, "file exists") {
		t.Errorf("over a file: %+v", again)
	}
	first, second := "pebble:"+filepath.Join(dir, "first"), "sqlite:"+filepath.Join(dir, "second.db")
	ankurah(t, nil, "restore", "--storage", first, file).must(t)
	ankurah(t, nil, "verify", "--storage", first).must(t)
	ankurah(t, nil, "copy", "--from", first, "--to", second).must(t)
	a, b := openStore(t, first), openStore(t, second)
	wantEqual(t, b, a)
	a.Close()
	b.Close()

	for _, of := range [][]string{{"--server", "unix:" + r.socket}, {"--storage", second}} {
		text := ankurah(t, nil, append([]string{"inspect"}, of...)...).must(t).stdout
		if !strings.Contains(text, "note  ") || !strings.Contains(text, "title string") || strings.Contains(text, "ready") != (of[0] == "--server") {
			t.Errorf("inspect %v:\n%s", of, text)
		}
		var in admin.Inspection
		if err := json.NewDecoder(bytes.NewBufferString(ankurah(t, nil, append([]string{"inspect", "--json"}, of...)...).must(t).stdout)).Decode(&in); err != nil || len(in.Collections) != 1 || in.Collections[0].Entities < 50 {
			t.Errorf("inspect --json %v: %+v, %v", of, in, err)
		}
		entity := ankurah(t, nil, append(append([]string{"inspect"}, of...), r.made[0].String())...).must(t).stdout
		if !strings.Contains(entity, "note "+r.made[0].String()) || !strings.Contains(entity, `by "somebody" at node `) || !strings.Contains(entity, `  rank: `) {
			t.Errorf("inspect an entity:\n%s", entity)
		}
		if missing := ankurah(t, nil, append(append([]string{"inspect"}, of...), "00000000000000000000000001")...); missing.status != exitFailed || !strings.Contains(missing.stderr, "there is no entity") {
			t.Errorf("%+v", missing)
		}
	}
}

// A server is drained by a command: when that ends no client is served, and none is taken.
func TestDrainOfARunningServer(t *testing.T) {
	r := run(t, "sqlite:"+filepath.Join(t.TempDir(), "home.db"))
	client, err := core.Open(t.Context(), core.Options{Engine: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	local.Connect(r.node, client)
	if err := client.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	ankurah(t, nil, "drain", "--server", "unix:"+r.socket).must(t)
	if peers := r.node.Peers(); peers != 0 {
		t.Errorf("%d clients are served", peers)
	}
}
