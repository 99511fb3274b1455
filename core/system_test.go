package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// TestSystemLife covers 294 to 298: created once, joined by others, there again after a
// restart.
func TestSystemLife(t *testing.T) {
	disk, cache := memory.NewDisk(), memory.NewDisk()
	server := open(t, core.Options{Engine: disk.Open(), Durable: true})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.WaitReady(ended); core.KindOf(err) != core.KindDeadline {
		t.Errorf("ready before there is a system: %v", err)
	}
	if _, ok := server.System(); ok || server.Status().Ready {
		t.Error("a system before it was created")
	}
	ready := make(chan error, 1)
	go func() { ready <- server.WaitReady(t.Context()) }()
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ready; err != nil {
		t.Error(err)
	}
	system := must2(server.System())
	if err := server.CreateSystem(t.Context()); !errors.Is(err, core.ErrSystemExists) || core.KindOf(err) != core.KindConflict {
		t.Errorf("a second one: %v", err)
	}

	a := open(t, core.Options{Engine: cache.Open()})
	if err := a.CreateSystem(t.Context()); !errors.Is(err, core.ErrDurableOnly) {
		t.Errorf("by an ephemeral node: %v", err)
	}
	local.Connect(server, a)
	if err := a.WaitReady(t.Context()); err != nil || must2(a.System()) != system {
		t.Errorf("joined: %v", err)
	}
	a.Close()
	if err := a.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	again := open(t, core.Options{Engine: cache.Open()})
	if err := again.WaitReady(ended); err != nil || again.ID() != a.ID() || must2(again.System()) != system {
		t.Errorf("the client, restarted: %v", err)
	}

	server.Close()
	restarted := open(t, core.Options{Engine: disk.Open(), Durable: true})
	if err := restarted.WaitReady(ended); err != nil || restarted.ID() != server.ID() || must2(restarted.System()) != system || !restarted.Status().Ready {
		t.Errorf("the server, restarted: %v", err)
	}
	if err := restarted.CreateSystem(t.Context()); !errors.Is(err, core.ErrSystemExists) {
		t.Errorf("a second one after the restart: %v", err)
	}
}

// TestCreateSystemConcurrently: of several attempts one succeeds.
func TestCreateSystemConcurrently(t *testing.T) {
	n := open(t, core.Options{Durable: true})
	var created atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch err := n.CreateSystem(t.Context()); {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, core.ErrSystemExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Errorf("%d systems", created.Load())
	}
}

// full is a model that uses all there is.
var full = &schema.Model{Collection: "full", Properties: []schema.Property{
	{Name: "b", Type: schema.TypeBool, Default: value.Bool(true)},
	{Name: "e", Type: schema.TypeEnum, Enum: []string{"x", "y"}, Default: value.String("x")},
	{Name: "f", Type: schema.TypeFloat, Optional: true},
	{Name: "j", Type: schema.TypeJSON, Optional: true},
	{Name: "k", Type: schema.TypeString, Kind: schema.KindText, Default: value.String("")},
	{Name: "r", Type: schema.TypeRef, Target: "album", Optional: true},
	{Name: "t", Type: schema.TypeTime, Optional: true},
}}

// catalogEntities counts the entities of the catalog that storage holds.
func catalogEntities(t *testing.T, engine storage.Engine) (models, properties int) {
	t.Helper()
	count := func(collection string) int {
		page, err := engine.Scan(t.Context(), schema.ReservedPrefix+collection, must(selection(t, "").Check(nil)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Records)
	}
	return count("model"), count("property")
}

// TestRegister covers 299, 302, 304 and 309: a model is registered once, grows, and is
// the same after a restart and at every client.
func TestRegister(t *testing.T) {
	disk := memory.NewDisk()
	server := durable(t, core.Options{Engine: disk.Open()})
	a := open(t, core.Options{})
	local.Connect(server, a)
	waitLive(t, a)

	if err := server.Register(t.Context(), full, full); err != nil {
		t.Fatal(err)
	}
	published := server.Published()
	for range 3 {
		copied := *full
		if err := server.Register(t.Context(), full, &copied); err != nil {
			t.Fatal(err)
		}
	}
	if server.Published() != published {
		t.Error("registering again writes")
	}
	if models, properties := catalogEntities(t, disk.Open()); models != 2 || properties != len(full.Properties)+len(album.Properties) {
		t.Errorf("%d models with %d properties are stored", models, properties)
	}

	grown := *full
	grown.Properties = append(append([]schema.Property{}, full.Properties...), schema.Property{Name: "z", Type: schema.TypeInt, Optional: true})
	grown.Properties[1].Enum = []string{"x", "y", "z"}
	if err := server.Register(t.Context(), &grown); err != nil {
		t.Fatal(err)
	}
	if _, properties := catalogEntities(t, disk.Open()); properties != len(grown.Properties)+len(album.Properties) {
		t.Errorf("%d properties are stored after it grew by one", properties)
	}
	want := must2(server.Model("full"))
	eventually(t, "the client knows", func() bool {
		got, ok := a.Model("full")
		return ok && len(got.Properties) == len(grown.Properties)
	})
	server.Close()
	restarted := open(t, core.Options{Engine: disk.Open(), Durable: true})
	late := open(t, core.Options{})
	local.Connect(restarted, late)
	eventually(t, "a late client knows", func() bool { _, ok := late.Model("full"); return ok })
	for label, n := range map[string]*core.Node{"a client": a, "after a restart": restarted, "a late client": late} {
		got := must2(n.Model("full"))
		for _, p := range want.Properties {
			q, ok := got.Property(p.Name)
			if !ok {
				t.Errorf("%s: %s is missing", label, p.Name)
				continue
			}
			p.Kind = p.MergeKind()
			if fmt.Sprintf("%+v", *q) != fmt.Sprintf("%+v", p) {
				t.Errorf("%s: %s is %+v, want %+v", label, p.Name, *q, p)
			}
		}
	}
	if err := restarted.Register(t.Context(), &grown); err != nil || restarted.Published() != server.Published() {
		t.Errorf("registering after a restart writes, %v", err)
	}
}

// TestRegisterConflict is 301: what does not fit is refused whole and writes nothing.
func TestRegisterConflict(t *testing.T) {
	disk := memory.NewDisk()
	server := durable(t, core.Options{Engine: disk.Open()})
	e := create(t, server, "a", 1)
	published := server.Published()
	retyped := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "year", Type: schema.TypeBool, Optional: true}}}
	for label, models := range map[string][]*schema.Model{
		"another type":       {pet, retyped},
		"no name":            {{Collection: ""}},
		"a protected name":   {{Collection: schema.ReservedPrefix + "mine"}},
		"a property twice":   {{Collection: "x", Properties: []schema.Property{{Name: "a", Type: schema.TypeInt}, {Name: "a", Type: schema.TypeInt}}}},
		"two that disagree":  {{Collection: "x", Properties: []schema.Property{{Name: "a", Type: schema.TypeInt}}}, {Collection: "x", Properties: []schema.Property{{Name: "a", Type: schema.TypeBool}}}},
		"an unknown type":    {{Collection: "x", Properties: []schema.Property{{Name: "a", Type: "color"}}}},
		"a property of ours": {{Collection: "x", Properties: []schema.Property{{Name: proto.Deleted, Type: schema.TypeBool}}}},
	} {
		if err := server.Register(t.Context(), models...); core.KindOf(err) != core.KindSchema {
			t.Errorf("%s: %v", label, err)
		}
		for _, m := range models {
			if _, ok := server.Model(m.Collection); ok && m.Collection != "album" {
				t.Errorf("%s: %q is registered", label, m.Collection)
			}
		}
	}
	if server.Published() != published {
		t.Error("something was written")
	}
	put(t, server, "album", e, "year", 2)

	// A client with such a model is told, and its transactions are refused; the others' go on.
	a := open(t, core.Options{})
	if err := a.Register(t.Context(), pet); err != nil {
		t.Fatal(err)
	}
	b := open(t, core.Options{})
	wrong := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "name", Type: schema.TypeString}, {Name: "year", Type: schema.TypeBool, Optional: true}}}
	if err := b.Register(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	tx := anonymous(b).Begin()
	if _, err := tx.Create(t.Context(), "album", []proto.Field{{Name: "name", Value: value.String("x")}, {Name: "year", Value: value.Bool(true)}}); err != nil {
		t.Fatal(err)
	}
	receipt := commit(t, tx)
	local.Connect(server, b)
	local.Connect(server, a)
	eventually(t, "told", func() bool { return core.KindOf(b.Status().LastError) == core.KindSchema })
	if err := receipt.Synced(t.Context()); core.KindOf(err) != core.KindSchema {
		t.Errorf("synced: %v", err)
	}
	add(t, a, "pet", "name", "p")
	eventually(t, "the other goes on", func() bool { return a.Status().Pending == 0 && a.Status().Connection == core.Live })
}

// TestRegisterTogether is 312: clients and the durable node register one new model at the
// same moment, some with more properties; there is one of each.
func TestRegisterTogether(t *testing.T) {
	disk := memory.NewDisk()
	server := durable(t, core.Options{Engine: disk.Open()})
	var wg sync.WaitGroup
	nodes := []*core.Node{server}
	for range 6 {
		a := open(t, core.Options{})
		local.Connect(server, a)
		waitLive(t, a)
		nodes = append(nodes, a)
	}
	for i, n := range nodes {
		wg.Go(func() {
			m := &schema.Model{Collection: "fresh", Properties: []schema.Property{{Name: "shared", Type: schema.TypeString}}}
			if i%2 == 1 {
				m.Properties = append(m.Properties, schema.Property{Name: fmt.Sprint("own", i), Type: schema.TypeInt, Optional: true})
			}
			if err := n.Register(t.Context(), m); err != nil {
				t.Error(err)
			}
			add(t, n, "fresh", "shared", "x")
		})
	}
	wg.Wait()
	for _, n := range nodes {
		eventually(t, "settled", func() bool {
			m, ok := n.Model("fresh")
			return ok && len(m.Properties) == 4 && n.Status().Pending == 0
		})
	}
	if models, properties := catalogEntities(t, disk.Open()); models != 2 || properties != 4+len(album.Properties) {
		t.Errorf("%d models with %d properties are stored", models, properties)
	}
	if rows := must(anonymous(server).Fetch(t.Context(), "fresh", selection(t, ""))); len(rows) != len(nodes) {
		t.Errorf("%d rows", len(rows))
	}
}

// TestRegisterMeetsHandshake: a model that is registered while a client connects reaches
// it.
func TestRegisterMeetsHandshake(t *testing.T) {
	server := durable(t, core.Options{})
	for i := range 30 {
		m := &schema.Model{Collection: fmt.Sprint("m", i), Properties: []schema.Property{{Name: "a", Type: schema.TypeInt}}}
		w, _ := raw(t, server)
		w.send(&proto.Hello{Node: w.node})
		if err := server.Register(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		for told := false; !told; {
			for _, x := range until[*proto.Catalog](w).Models {
				told = told || x.Collection == m.Collection
			}
		}
		w.conn.Close("")
	}
}

// TestRegisterOffline is 307: a model is known at once where it is registered, also after
// a restart, and reaches the durable node later; a collection without one fails loudly.
func TestRegisterOffline(t *testing.T) {
	disk := memory.NewDisk()
	a := open(t, core.Options{Engine: disk.Open()})
	if _, err := anonymous(a).Query("pet", selection(t, "")); core.KindOf(err) != core.KindSchema {
		t.Errorf("a query of what is not known: %v", err)
	}
	if _, err := anonymous(a).Fetch(t.Context(), "pet", selection(t, "")); core.KindOf(err) != core.KindSchema {
		t.Errorf("a fetch: %v", err)
	}
	if err := a.Register(t.Context(), pet); err != nil {
		t.Fatal(err)
	}
	add(t, a, "pet", "name", "p")
	a.Close()
	a = open(t, core.Options{Engine: disk.Open()})
	if got := rowNames(watch(t, a, "pet", "name = 'p'"), "name"); got != "p" {
		t.Errorf("after a restart: %q", got)
	}
	server := durable(t, core.Options{})
	local.Connect(server, a)
	eventually(t, "delivered", func() bool { return a.Status().Pending == 0 })
	if got := rowNames(watch(t, server, "pet", ""), "name"); got != "p" {
		t.Errorf("the server has %q", got)
	}
}

// TestRegisterWhenStorageFails is 305: a model that could not be stored is not known
// either, and can be registered later, once.
func TestRegisterWhenStorageFails(t *testing.T) {
	for label, fault := range map[string]faulty.Fault{
		"refused": {Before: errDisk}, "not reached": {Before: storage.ErrUnavailable}, "unknown outcome": {After: storage.ErrUnavailable},
	} {
		t.Run(label, func(t *testing.T) {
			t.Run("durable", func(t *testing.T) {
				var broken, blind atomic.Bool
				disk := memory.NewDisk()
				engine := faulty.Wrap(disk.Open(), func(c faulty.Call) faulty.Fault {
					switch {
					case broken.Load() && c.Op == faulty.Commit:
						return fault
					case blind.Load():
						return faulty.Fault{Before: storage.ErrUnavailable}
					}
					return faulty.Fault{}
				})
				n := open(t, core.Options{Engine: engine, Durable: true})
				broken.Store(true)
				blind.Store(true)
				if err := n.CreateSystem(t.Context()); err == nil {
					t.Fatal("created a system that is not stored")
				}
				broken.Store(false)
				blind.Store(false)
				if err := n.CreateSystem(t.Context()); err != nil && !errors.Is(err, core.ErrSystemExists) {
					t.Fatal(err)
				}
				if err := n.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				broken.Store(true)
				blind.Store(true)
				if err := n.Register(t.Context(), album); err == nil {
					t.Fatal("registered a model that is not stored")
				}
				if _, ok := n.Model("album"); ok {
					t.Error("the model is known")
				}
				broken.Store(false)
				blind.Store(false)
				if err := n.Register(t.Context(), pet); err != nil {
					t.Fatal(err)
				}
				if err := n.Register(t.Context(), album); err != nil {
					t.Fatal(err)
				}
				if models, properties := catalogEntities(t, disk.Open()); models != 2 || properties != len(album.Properties)+len(pet.Properties) {
					t.Errorf("%d models with %d properties are stored", models, properties)
				}
				create(t, n, "a", 1)
				asStored(t, n, disk)
			})
			t.Run("ephemeral", func(t *testing.T) {
				var broken atomic.Bool
				disk := memory.NewDisk()
				n := open(t, core.Options{Engine: faulty.Wrap(disk.Open(), failing(&broken, faulty.Commit, fault))})
				broken.Store(true)
				if err := n.Register(t.Context(), album); err == nil {
					t.Fatal("registered a model that is not stored")
				}
				broken.Store(false)
				if err := n.Register(t.Context(), album); err != nil {
					t.Fatal(err)
				}
				n.Close()
				if _, ok := open(t, core.Options{Engine: disk.Open()}).Model("album"); !ok {
					t.Error("it is not known after a restart")
				}
			})
		})
	}
}

// TestProtectedCollections is 311: nobody reads or writes the system's own collections.
func TestProtectedCollections(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		for _, collection := range []string{"system", "model", "property", "anything"} {
			collection = schema.ReservedPrefix + collection
			ctx, e := anonymous(n), id.EntityID{ULID: id.New(nil)}
			tx := ctx.Begin()
			_, create := tx.Create(t.Context(), collection, nil)
			_, get := ctx.Get(t.Context(), collection, e)
			_, fetch := ctx.Fetch(t.Context(), collection, selection(t, ""))
			_, query := ctx.Query(collection, selection(t, ""))
			for op, err := range map[string]error{"create": create, "get": get, "fetch": fetch, "query": query,
				"set": tx.Set(t.Context(), collection, e, with("a", 1)), "delete": tx.Delete(t.Context(), collection, e)} {
				if !errors.Is(err, core.ErrReserved) || core.KindOf(err) != core.KindDenied {
					t.Errorf("%s %s: %v", op, collection, err)
				}
			}
			tx.Rollback()
		}
	})
}

// TestOpenRefusesNonsense: what cannot be opened says so and leaves nothing running.
func TestOpenRefusesNonsense(t *testing.T) {
	if _, err := core.Open(t.Context(), core.Options{}); err == nil {
		t.Error("opened without an engine")
	}
	for _, key := range []string{"node", "system"} {
		engine := memory.New()
		if err := engine.Commit(t.Context(), &storage.Batch{Meta: []storage.MetaEntry{{Key: key, Value: []byte("nonsense")}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := core.Open(t.Context(), core.Options{Engine: engine}); core.KindOf(err) != core.KindStorage || !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, key := range []string{"models", "cursors", "rejections"} {
		engine := memory.New()
		if err := engine.Commit(t.Context(), &storage.Batch{Meta: []storage.MetaEntry{{Key: key, Value: []byte("nonsense")}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := core.Open(t.Context(), core.Options{Engine: engine}); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v", key, err)
		}
	}
	engine := memory.New()
	if err := engine.Commit(t.Context(), &storage.Batch{Outbox: []storage.OutboxEntry{{Seq: 1, Data: []byte("nonsense")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Open(t.Context(), core.Options{Engine: engine}); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("outbox: %v", err)
	}
}

// TestClosedNode: every call on a closed node says so, and none hangs.
func TestClosedNode(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		e := add(t, n, "album", "name", "a")
		q := watch(t, n, "album", "")
		tx := anonymous(n).Begin()
		if err := tx.Set(t.Context(), "album", e, with("name", "b")); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		_, commit := tx.Commit(t.Context())
		_, get := anonymous(n).Get(t.Context(), "album", e)
		_, fetch := anonymous(n).Fetch(t.Context(), "album", selection(t, ""))
		_, query := anonymous(n).Query("album", selection(t, ""))
		client, server := local.Pipe(local.Options{})
		defer client.Close("")
		for op, err := range map[string]error{"commit": commit, "get": get, "fetch": fetch, "query": query,
			"select": q.SetSelection(t.Context(), selection(t, "TRUE")), "serve": n.Serve(t.Context(), server),
			"register": n.Register(t.Context(), full)} {
			if core.KindOf(err) != core.KindClosed {
				t.Errorf("%s: %v", op, err)
			}
		}
		if len(q.Rows()) != 1 {
			t.Error("the rows are gone")
		}
		q.Close()
		n.Dial(&dialer{dial: unreachable}, core.DialOptions{}).Close()
	})
}

// TestCloseEndsConnections: closing a durable node waits for those it serves.
func TestCloseEndsConnections(t *testing.T) {
	server := durable(t, core.Options{Policy: policy.Permissive()})
	var served []chan error
	for range 5 {
		w, s := greeted(t, server)
		w.send(&proto.Subscribe{Sub: 1, Collection: "album"})
		served = append(served, s)
	}
	server.Close()
	if server.Peers() != 0 || server.Watches() != 0 {
		t.Errorf("%d connections are served, with %d watches, after Close has returned", server.Peers(), server.Watches())
	}
	for _, s := range served {
		if err := <-s; core.KindOf(err) != core.KindClosed && err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
}
