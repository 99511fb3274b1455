package ankurah_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// Pressing declares indexes in all the ways that there are.
type Pressing struct {
	Barcode string         `ankurah:"barcode,unique"`
	Year    int            `ankurah:"year,index"`
	Artist  string         `ankurah:"artist"`
	Meta    map[string]any `ankurah:"meta,json"`
}

func (Pressing) Indexes() []string { return []string{"artist, year DESC", "meta.genre"} }

func TestStructsDeclareIndexes(t *testing.T) {
	m, err := ankurah.ModelOf[Pressing]()
	must(t, err)
	var got []string
	for _, ix := range m.Indexes {
		text := ix.String()
		if ix.Unique {
			text += "!"
		}
		got = append(got, text)
	}
	if want := []string{"barcode!", "year", "artist, year DESC", "meta.genre"}; !slices.Equal(got, want) {
		t.Errorf("indexes %q, want %q", got, want)
	}
	if _, err := ankurah.ModelOf[unknownColumn](); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("an index over a property that is not there: %v", err)
	}
	if _, err := ankurah.ModelOf[noColumns](); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("an index that is something else: %v", err)
	}
}

type unknownColumn struct {
	Name string `ankurah:"name"`
}

func (unknownColumn) Indexes() []string { return []string{"nmae"} }

type noColumns struct {
	Name string `ankurah:"name"`
}

func (noColumns) Indexes() []string { return []string{"name LIMIT 3"} }

// What a model declares is kept by the durable node, also when it starts again, and by the
// nodes that it tells of the model.
func TestDeclaredIndexesReachEveryNode(t *testing.T) {
	ctx := t.Context()
	disk := kvtest.NewDisk()
	open := func() (*kv.Engine, *ankurah.Node) {
		engine, err := kv.Open(ctx, disk.Open(), kv.Options{})
		must(t, err)
		node, err := ankurah.NewDurable(engine, ankurah.Permissive())
		must(t, err)
		return engine, node
	}
	_, server := open()
	must(t, server.CreateSystem(ctx))
	tx := server.Context(ankurah.Anonymous).Begin()
	for _, p := range []Pressing{{Barcode: "1", Artist: "Muse", Year: 2001}, {Barcode: "2", Artist: "Muse", Year: 2003}, {Barcode: "3", Artist: "Björk", Year: 2001}} {
		_, err := ankurah.Create(tx, &p)
		must(t, err)
	}
	_, err := tx.Commit(ctx)
	must(t, err)
	must(t, server.Close())

	engine, server := open()
	defer server.Close()
	awaitIndexes(t, engine, "pressing")
	x, err := ankurah.Explain[Pressing](ctx, server.Context(ankurah.Anonymous), "artist = ? ORDER BY year DESC LIMIT 1", "Muse")
	must(t, err)
	if x.Method == "" || x.Returned != 1 || x.Rows > 3 {
		t.Errorf("%+v", x)
	}

	local1, err := kv.Open(ctx, kvtest.NewDisk().Open(), kv.Options{})
	must(t, err)
	client, err := ankurah.New(local1, ankurah.Permissive())
	must(t, err)
	defer client.Close()
	local.Connect(server, client)
	must(t, client.WaitReady(ctx))
	_, err = ankurah.Fetch[Pressing](ctx, client.Context(ankurah.Anonymous), "year = 2001")
	must(t, err)
	awaitIndexes(t, local1, "pressing")
}

// awaitIndexes waits until the engine has the indexes of pressings.
func awaitIndexes(t *testing.T, e *kv.Engine, collection string) {
	t.Helper()
	for {
		must(t, t.Context().Err())
		must(t, e.Settle(t.Context()))
		list, err := e.Indexes(t.Context(), collection)
		must(t, err)
		var ready []string
		for _, ix := range list {
			if ix.State == storage.IndexReady && ix.Declared {
				ready = append(ready, ix.Columns)
			}
		}
		if strings.Join(ready, "; ") == "barcode; year; artist, year DESC; meta.genre" {
			return
		}
	}
}

func TestExplain(t *testing.T) {
	ctx := t.Context()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	must(t, err)
	defer node.Close()
	must(t, node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)
	tx := c.Begin()
	for _, name := range []string{"a", "b", "c"} {
		_, err := ankurah.Create(tx, &Artist{Name: name})
		must(t, err)
	}
	_, err = tx.Commit(ctx)
	must(t, err)
	x, err := ankurah.Explain[Artist](ctx, c, "name > ? ORDER BY name LIMIT 1", "a")
	must(t, err)
	if x.Rows != 3 || x.Returned != 1 || !x.More || !x.Sorted || x.Residual != "name > 'a'" || x.Plan == "" {
		t.Errorf("%+v", x)
	}
	for _, text := range []string{"name >", "nmae = 'a'"} {
		if _, err := ankurah.Explain[Artist](ctx, c, text); ankurah.KindOf(err) != core.KindSelection {
			t.Errorf("%s: %v", text, err)
		}
	}
}
