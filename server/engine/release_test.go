package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tikv/client-go/v2/txnkv"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/core/verify"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/server/engine"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// What earlier releases have written is in testdata/releases, a folder for each: a directory
// of Pebble, a SQLite file, what pg_dump says of a PostgreSQL database, the rows of a TiKV
// prefix, and an archive, all with the same content, which expected.txt lists. Every later
// release opens all of them.
//
// A release adds its own, before it is tagged, by scripts/write-release, and a folder whose release is out is not changed any more. Where a form changes such that older
// programs cannot read it, its version number changes with it. What browsers hold is in
// storage/indexeddb.
var write = flag.String("write", "", "have TestWriteRelease write the data of a release into testdata/releases")

func TestMain(m *testing.M) { pgtest.Main(m) }

// tikvRows is the file with the rows of a TiKV prefix: a line each, of the key after the
// prefix's name and the value, in base64.
const tikvRows = "tikv.rows"

var models = []*schema.Model{
	{Collection: "artist", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString},
		{Name: "country", Type: schema.TypeEnum, Enum: []string{"GB", "US", "JP"}, Optional: true},
	}},
	{Collection: "album", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString},
		{Name: "artist", Type: schema.TypeRef, Target: "artist", Optional: true},
		{Name: "year", Type: schema.TypeInt, Optional: true},
		{Name: "score", Type: schema.TypeFloat, Optional: true},
		{Name: "live", Type: schema.TypeBool, Optional: true, Default: value.Bool(false)},
		{Name: "cover", Type: schema.TypeBytes, Optional: true},
		{Name: "bought", Type: schema.TypeTime, Optional: true},
		{Name: "meta", Type: schema.TypeJSON, Optional: true},
	}, Indexes: []schema.Index{
		{Columns: []schema.IndexColumn{{Path: []string{"year"}, Desc: true}, {Path: []string{"name"}}}},
		{Columns: []schema.IndexColumn{{Path: []string{"meta", "genre"}}}},
	}},
}

// author makes the content: some dozen entities with all that a store can hold.
type author struct {
	t      testing.TB
	node   *core.Node
	artist []id.EntityID
	album  []id.EntityID
}

func (a *author) commit(node *core.Node, who string, change func(ctx context.Context, tx *core.Tx) error) *core.Receipt {
	a.t.Helper()
	tx := node.Context(policy.Principal{Name: who}).Begin()
	if err := change(a.t.Context(), tx); err != nil {
		a.t.Fatal(err)
	}
	receipt, err := tx.Commit(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return receipt
}

func (a *author) create(tx *core.Tx, collection string, fields ...proto.Field) id.EntityID {
	a.t.Helper()
	e, err := tx.Create(a.t.Context(), collection, fields)
	if err != nil {
		a.t.Fatal(err)
	}
	return e
}

func field(name string, v value.Value) proto.Field { return proto.Field{Name: name, Value: v} }

func tree(t testing.TB, v any) value.Value {
	t.Helper()
	made, err := value.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (a *author) write() {
	a.t.Helper()
	if err := a.node.CreateSystem(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	if err := a.node.Register(a.t.Context(), models...); err != nil {
		a.t.Fatal(err)
	}
	a.commit(a.node, "ada", func(_ context.Context, tx *core.Tx) error {
		for i, name := range []string{"Muse", "Ólafur", "日本の歌手", "", strings.Repeat("long ", 100)} {
			a.artist = append(a.artist, a.create(tx, "artist", field("name", value.String(name)), field("country", value.String([]string{"GB", "US", "JP"}[i%3]))))
		}
		return nil
	})
	for i := range 40 {
		a.commit(a.node, []string{"ada", "", "grace"}[i%3], func(_ context.Context, tx *core.Tx) error {
			fields := []proto.Field{field("name", value.String(fmt.Sprintf("album %02d", i))), field("artist", value.ID(a.artist[i%5])), field("year", value.Int(int64(1960+i)))}
			switch i % 4 {
			case 0:
				fields = append(fields, field("score", value.Float(float64(i)/3)), field("live", value.Bool(i%8 == 0)))
			case 1:
				fields = append(fields, field("meta", tree(a.t, map[string]any{"genre": []any{"rock", "jazz"}[i/4%2], "tags": []any{"a", float64(i), nil, true}, "deep": map[string]any{"x": 1.5}})))
			case 2:
				fields = append(fields, field("cover", value.Bytes([]byte{0, byte(i), 0xff})), field("bought", value.Int(time.Date(2020, 1, 1+i, 0, 0, 0, 0, time.UTC).UnixMicro())))
			}
			a.album = append(a.album, a.create(tx, "album", fields...))
			return nil
		})
	}
}

// edits change, delete and restore.
func (a *author) edits() {
	for i := range 30 {
		a.commit(a.node, "grace", func(ctx context.Context, tx *core.Tx) error {
			if err := tx.Set(ctx, "album", a.album[i%7], []proto.Field{field("year", value.Int(int64(2000+i)))}); err != nil {
				return err
			}
			return tx.Set(ctx, "artist", a.artist[i%2], []proto.Field{field("name", value.String(fmt.Sprint("renamed ", i)))})
		})
	}
	for i := 30; i < 36; i++ {
		a.commit(a.node, "ada", func(ctx context.Context, tx *core.Tx) error { return tx.Delete(ctx, "album", a.album[i]) })
	}
	a.commit(a.node, "ada", func(ctx context.Context, tx *core.Tx) error { return tx.Restore(ctx, "album", a.album[30]) })
	a.commit(a.node, "ada", func(ctx context.Context, tx *core.Tx) error {
		return tx.Set(ctx, "album", a.album[31-1], []proto.Field{field("score", value.Null)})
	})
}

// concurrently edits on two nodes that do not hear each other: heads of two events.
func (a *author) concurrently() {
	client, err := core.Open(a.t.Context(), core.Options{Engine: memory.New()})
	if err != nil {
		a.t.Fatal(err)
	}
	defer client.Close()
	link := local.Connect(a.node, client)
	if err := client.WaitReady(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	c := client.Context(policy.Principal{})
	edited := a.album[8:12]
	for _, e := range edited {
		if _, err := c.Get(a.t.Context(), "album", e); err != nil {
			a.t.Fatal(err)
		}
	}
	link.Close()
	var receipts []*core.Receipt
	for i, e := range edited {
		receipts = append(receipts, a.commit(client, "", func(ctx context.Context, tx *core.Tx) error {
			return tx.Set(ctx, "album", e, []proto.Field{field("score", value.Float(float64(i)))})
		}))
		a.commit(a.node, "ada", func(ctx context.Context, tx *core.Tx) error {
			return tx.Set(ctx, "album", e, []proto.Field{field("name", value.String("meanwhile")), field("score", value.Float(99))})
		})
	}
	link = local.Connect(a.node, client)
	defer link.Close()
	for _, r := range receipts {
		if err := r.Synced(a.t.Context()); err != nil {
			a.t.Fatal(err)
		}
	}
}

// selections are asked of every release's data.
var selections = []string{
	"year >= 1990 ORDER BY year DESC, name", "meta.genre = 'jazz'", "artist.name LIKE 'renamed%' ORDER BY name LIMIT 5",
	"score IS NULL AND live = false ORDER BY name DESC LIMIT 7", "name = 'meanwhile'", "bought > 1580000000000000 ORDER BY bought",
}

// render lists what a store holds: entities, values, histories, models, answers.
func render(t testing.TB, node *core.Node, e storage.Engine) string {
	t.Helper()
	var out strings.Builder
	walk := storage.NewWalk(e.(storage.Walker), storage.EventKey{})
	for {
		record, event, err := walk.Next(t.Context())
		switch {
		case err != nil:
			t.Fatal(err)
		case record != nil && record.Err == nil:
			rec := record.Record
			fmt.Fprintf(&out, "%s %s rev %d head %v\n", rec.Collection, rec.Entity, rec.Rev, rec.State.Head)
			for i := range rec.State.Properties {
				p := &rec.State.Properties[i]
				fmt.Fprintf(&out, "  %s (%d) = %s by %x\n", p.Name, p.Kind, p.Value, p.Data)
			}
		case event != nil && event.Err == nil:
			ev := event.Event
			fmt.Fprintf(&out, "  event %s on %v by %s %q", ev.ID, ev.Parents, ev.Author, ev.User)
			for _, op := range ev.Operations {
				fmt.Fprintf(&out, " %s(%d)=%x", op.Property, op.Kind, op.Data)
			}
			fmt.Fprintln(&out)
		case record == nil && event == nil:
			renderAnswers(t, &out, node)
			return out.String()
		default:
			t.Fatal(record, event)
		}
	}
}

func renderAnswers(t testing.TB, out *strings.Builder, node *core.Node) {
	t.Helper()
	for _, m := range models {
		known, ok := node.Model(m.Collection)
		if !ok {
			t.Fatalf("model %s is not known", m.Collection)
		}
		var names []string
		for _, p := range known.Properties {
			names = append(names, fmt.Sprintf("%s %s %v %s", p.Name, p.Type, p.Optional, p.Default))
		}
		slices.Sort(names) // the catalog has no order
		fmt.Fprintf(out, "model %s: %s; %d indexes\n", m.Collection, strings.Join(names, ", "), len(known.Indexes))
	}
	for _, text := range selections {
		s, err := ankql.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		views, err := node.Context(policy.Principal{}).Fetch(t.Context(), "album", s)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		fmt.Fprintf(out, "%s:", text)
		for _, v := range views {
			fmt.Fprintf(out, " %s", v.ID())
		}
		fmt.Fprintln(out)
	}
}

// openNode opens a node over a store, which it closes with it.
func openNode(t testing.TB, e storage.Engine) *core.Node {
	t.Helper()
	node, err := core.Open(t.Context(), core.Options{Engine: e, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// indexed waits until the engine keeps the indexes that the models of its node declare.
func indexed(t testing.TB, e storage.Engine) {
	t.Helper()
	indexer, ok := e.(storage.Indexer)
	if !ok {
		return
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		indexes, err := indexer.Indexes(t.Context(), "album")
		if err != nil {
			t.Fatal(err)
		}
		declared := 0
		for _, ix := range indexes {
			if ix.Declared {
				declared++
			}
		}
		if declared == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("indexes %v", indexes)
		}
	}
	if err := indexer.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func openStore(t testing.TB, setting string) storage.Engine {
	t.Helper()
	s, err := config.ParseStorage(setting)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), s, engine.Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const releases = "testdata/releases"

// TestWriteRelease writes the data of a release, if it is asked to.
func TestWriteRelease(t *testing.T) {
	if *write == "" {
		return
	}
	dir := filepath.Join(releases, *write)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatalf("%v; what a release has written is not changed", err)
	}
	file := filepath.Join(dir, "archive.ankarch")
	pebble := "pebble:" + filepath.Join(dir, "pebble")
	home := openStore(t, pebble)
	a := &author{t: t, node: openNode(t, home)}
	a.write()
	indexed(t, home)
	a.node.Close()
	// Once more, so that the directory has tables and a log.
	home = openStore(t, pebble)
	a.node = openNode(t, home)
	a.edits()
	a.concurrently()
	expected := render(t, a.node, home)
	var out bytes.Buffer
	if _, err := archive.Dump(t.Context(), home, &out, archive.DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.node.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{file: out.Bytes(), filepath.Join(dir, "expected.txt"): []byte(expected)} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	database, cluster := pgtest.Database(t), tikvtest.New(t, 1)
	prefix := cluster.URL()
	for _, setting := range []string{"sqlite:" + filepath.Join(dir, "ankurah.db"), database, prefix} {
		store := openStore(t, setting)
		restore(t, store, file)
		node := openNode(t, store) // its models' indexes are part of what is kept
		indexed(t, store)
		if err := node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dump, err := exec.Command("pg_dump", "--inserts", "--rows-per-insert=100", "--no-owner", "--dbname="+database).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "postgres.sql"), dump, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, tikvRows), []byte(dumpPrefix(t, cluster, prefix)), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, "ankurah.db-lock"))
}

// prefixOf returns the name of a prefix, and a client of its cluster.
func prefixOf(t testing.TB, cluster *tikvtest.Cluster, url string) (string, *txnkv.Client) {
	t.Helper()
	client, err := txnkv.NewClient([]string{cluster.PD()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return url[strings.LastIndex(url, "/")+1:], client
}

// dumpPrefix returns the rows of a prefix.
func dumpPrefix(t testing.TB, cluster *tikvtest.Cluster, url string) string {
	t.Helper()
	prefix, client := prefixOf(t, cluster, url)
	tx, err := client.Begin()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Iter([]byte(prefix+"/"), []byte(prefix+"0"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out strings.Builder
	for text := base64.StdEncoding.EncodeToString; rows.Valid(); {
		fmt.Fprintf(&out, "%s %s\n", text(rows.Key()[len(prefix):]), text(rows.Value()))
		if err := rows.Next(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// loadPrefix writes such rows.
func loadPrefix(t testing.TB, cluster *tikvtest.Cluster, url, rows string) {
	t.Helper()
	prefix, client := prefixOf(t, cluster, url)
	tx, err := client.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(rows) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		k, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		v, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Set(append([]byte(prefix), k...), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func restore(t testing.TB, store storage.Engine, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := archive.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := archive.Restore(t.Context(), store, r, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Every release's data opens, on every engine, and holds what was written.
func TestDataOfEarlierReleases(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(releases, "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		expected, err := os.ReadFile(filepath.Join(dir, "expected.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func(t *testing.T, dir string) storage.Engine{
			"pebble": openPebble, "sqlite": openSQLite, "postgres": openPostgres, "tikv": openTiKV, "archive": openArchive,
		} {
			t.Run(filepath.Base(dir)+"/"+name, func(t *testing.T) {
				store := open(t, dir)
				defer store.Close()
				holds(t, store, string(expected))
			})
		}
	}
}

// holds demands that a store is sound, holds what is expected, and can be written to.
func holds(t *testing.T, store storage.Engine, expected string) {
	t.Helper()
	report, err := verify.Store(t.Context(), store, verify.Options{})
	if err != nil || report.Found > 0 || report.Collections["album"] != 35 {
		t.Fatalf("verify: %+v, %v", report, err)
	}
	node := openNode(t, store)
	defer node.Close()
	got, want := strings.Split(render(t, node, store), "\n"), strings.Split(expected, "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d is\n%s\nwant\n%s", i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	indexed(t, store)
	tx := node.Context(policy.Principal{}).Begin()
	if _, err := tx.Create(t.Context(), "album", []proto.Field{field("name", value.String("later"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func openPebble(t *testing.T, dir string) storage.Engine {
	to := filepath.Join(t.TempDir(), "pebble")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(dir, "pebble"))); err != nil {
		t.Fatal(err)
	}
	writable(t, to)
	return openStore(t, "pebble:"+to)
}

// writable makes a copy writable, wherever it is from: a module's files are not.
func writable(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openSQLite(t *testing.T, dir string) storage.Engine {
	content, err := os.ReadFile(filepath.Join(dir, "ankurah.db"))
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "ankurah.db")
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return openStore(t, "sqlite:"+to)
}

func openPostgres(t *testing.T, dir string) storage.Engine {
	dump, err := os.ReadFile(filepath.Join(dir, "postgres.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var statements []string
	for line := range strings.Lines(string(dump)) {
		if !strings.HasPrefix(line, `\`) { // psql's own
			statements = append(statements, line)
		}
	}
	url := pgtest.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), strings.Join(statements, ""), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	return openStore(t, url)
}

func openTiKV(t *testing.T, dir string) storage.Engine {
	rows, err := os.ReadFile(filepath.Join(dir, tikvRows))
	if err != nil {
		t.Fatal(err)
	}
	cluster := tikvtest.New(t, 1)
	url := cluster.URL()
	loadPrefix(t, cluster, url, string(rows))
	return openStore(t, url)
}

func openArchive(t *testing.T, dir string) storage.Engine {
	store := memory.New()
	restore(t, store, filepath.Join(dir, "archive.ankarch"))
	return store
}
