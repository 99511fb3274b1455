//go:build js && wasm

package indexeddb

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall/js"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// What browsers hold that ran earlier releases is in testdata/releases, a folder for each: the
// records of a client's database and of that of the durable node that it belongs to, and what
// they hold in expected.txt. Every later release goes on with them.
//
// A release adds its own before it is tagged, by scripts/write-release, and a folder whose release
// is out is not changed any more.
//
//go:embed testdata/releases
var releases embed.FS

var writeRelease = flag.Bool("write", false, "have TestWriteRelease print the data of a release, for scripts/write-release")

var releaseModel = &schema.Model{Collection: "album", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "year", Type: schema.TypeInt, Optional: true},
	{Name: "score", Type: schema.TypeFloat, Optional: true},
	{Name: "cover", Type: schema.TypeBytes, Optional: true},
	{Name: "meta", Type: schema.TypeJSON, Optional: true},
}, Indexes: []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}, Desc: true}, {Path: []string{"name"}}}}}}

// censor refuses what is called forbidden.
type censor struct{ policy.Agent }

func (censor) Write(_ policy.Principal, w policy.Write) error {
	if name, ok := w.After.Field("name").AsString(); ok && name == "forbidden" {
		return policy.Denied("it is forbidden")
	}
	return nil
}

// pair is a client and the durable node that it belongs to, each over a database.
type pair struct {
	t              *testing.T
	client, server string // names of the databases
}

func (p *pair) openServer() *core.Node {
	p.t.Helper()
	return openNode(p.t, core.Options{Engine: openEngine(p.t, Options{Name: p.server}), Durable: true, Policy: censor{policy.Permissive()}})
}

func (p *pair) openClient() *core.Node {
	p.t.Helper()
	return openNode(p.t, core.Options{Engine: openEngine(p.t, Options{Name: p.client})})
}

func openNode(t *testing.T, o core.Options) *core.Node {
	t.Helper()
	node, err := core.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func closeNode(t *testing.T, node *core.Node) {
	t.Helper()
	if err := node.Close(); err != nil {
		t.Error(err)
	}
}

// albums opens a live query over all albums, and waits until it shows so many.
func albums(t *testing.T, node *core.Node, n int) *core.LiveQuery {
	t.Helper()
	s, err := ankql.Parse("ORDER BY year DESC, name")
	if err != nil {
		t.Fatal(err)
	}
	q, err := node.Context(policy.Principal{}).Query("album", s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	await(t, q, func() bool { return q.Len() == n })
	return q
}

// await waits until a live query shows what is expected.
func await(t *testing.T, q *core.LiveQuery, holds func() bool) {
	t.Helper()
	changed := make(chan struct{}, 1)
	defer q.Subscribe(func(*core.ChangeSet) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	for deadline := time.After(time.Minute); !holds(); {
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the query is %v, %v, and shows %d rows", q.Status(), q.Err(), q.Len())
		}
	}
}

func change(t *testing.T, node *core.Node, do func(ctx context.Context, tx *core.Tx) error) *core.Receipt {
	t.Helper()
	tx := node.Context(policy.Principal{}).Begin()
	if err := do(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	receipt, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func newAlbum(name string, year int64, more ...proto.Field) func(context.Context, *core.Tx) error {
	return func(ctx context.Context, tx *core.Tx) error {
		_, err := tx.Create(ctx, "album", append([]proto.Field{{Name: "name", Value: value.String(name)}, {Name: "year", Value: value.Int(year)}}, more...))
		return err
	}
}

func rename(e id.EntityID, name string) func(context.Context, *core.Tx) error {
	return func(ctx context.Context, tx *core.Tx) error {
		return tx.Set(ctx, "album", e, []proto.Field{{Name: "name", Value: value.String(name)}})
	}
}

// write makes what a browser holds: rows of the durable node, a transaction that was refused,
// others that wait, and how far it is in step.
func (p *pair) write() {
	t := p.t
	server, client := p.openServer(), p.openClient()
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Register(t.Context(), releaseModel); err != nil {
		t.Fatal(err)
	}
	meta, err := value.JSON(map[string]any{"genre": "rock", "tags": []any{"a", 1.5, nil, true}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(12) {
		more := [][]proto.Field{nil, {{Name: "score", Value: value.Float(float64(i) / 3)}}, {{Name: "cover", Value: value.Bytes([]byte{0, byte(i), 255})}}, {{Name: "meta", Value: meta}}}[i%4]
		change(t, server, newAlbum(fmt.Sprintf("álbum %02d", i), 1990+i%5, more...))
	}
	link := local.Connect(server, client)
	if err := client.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Register(t.Context(), releaseModel); err != nil {
		t.Fatal(err)
	}
	rows := albums(t, client, 12)
	ids := make([]id.EntityID, 0, 12)
	for _, v := range rows.Rows() {
		ids = append(ids, v.ID())
	}
	if err := change(t, client, rename(ids[0], "from the client")).Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	change(t, client, func(ctx context.Context, tx *core.Tx) error { return tx.Delete(ctx, "album", ids[1]) })
	if err := change(t, client, rename(ids[2], "forbidden")).Synced(t.Context()); err == nil {
		t.Fatal("nothing was refused")
	}
	await(t, rows, func() bool { return rows.Len() == 11 })
	link.Close()
	change(t, server, rename(ids[3], "meanwhile, on the server"))
	change(t, server, newAlbum("new on the server", 2001))
	change(t, client, rename(ids[3], "meanwhile, on the client"))
	change(t, client, newAlbum("new on the client", 2002))
	change(t, client, func(ctx context.Context, tx *core.Tx) error {
		if err := newAlbum("two at once", 2003)(ctx, tx); err != nil {
			return err
		}
		return rename(ids[4], "two at once")(ctx, tx)
	})
	closeNode(t, client)
	closeNode(t, server)
}

// observe goes on where a release has stopped, and tells what it finds: what the client shows by
// itself, what has been refused, what waits, how far it is in step; and what the two come to.
func (p *pair) observe() string {
	t := p.t
	var out strings.Builder
	client := p.openClient()
	defer closeNode(t, client)
	rows := albums(t, client, 13)
	fmt.Fprintln(&out, "alone:")
	writeRows(&out, rows)
	rejections, err := client.Rejections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rejections {
		fmt.Fprintf(&out, "refused %s at %s: %s: %s", r.Transaction, r.Time.UTC().Format(time.RFC3339Nano), r.Kind, r.Message)
		for _, c := range r.Changes() {
			fmt.Fprintf(&out, "; %s %s", c.Collection, c.Entity)
			for _, f := range c.Fields {
				fmt.Fprintf(&out, " %s=%s", f.Name, f.Value)
			}
		}
		fmt.Fprintln(&out)
	}
	fmt.Fprintf(&out, "%d wait\n", client.Status().Pending)

	server := p.openServer()
	defer closeNode(t, server)
	dialer := &witness{Dialer: local.NewDialer(server, local.Options{})}
	link := client.Dial(dialer, core.DialOptions{})
	defer link.Close()
	settled := func() bool {
		return client.Status().Pending == 0 && rows.Status() == core.QueryLive && rows.Len() == 14
	}
	stop := make(chan struct{}, 1)
	defer client.OnStatus(func(core.Status) {
		select {
		case stop <- struct{}{}:
		default:
		}
	})()
	for deadline := time.After(time.Minute); client.Status().Pending > 0; {
		select {
		case <-stop:
		case <-deadline:
			t.Fatalf("%d transactions still wait", client.Status().Pending)
		}
	}
	await(t, rows, settled)
	fmt.Fprintln(&out, dialer.told())
	fmt.Fprintln(&out, "together:")
	writeRows(&out, rows)
	if here, there := render(rows), render(albums(t, server, 14)); here != there {
		t.Errorf("the client shows\n%sand the server\n%s", here, there)
	}
	return out.String()
}

func writeRows(out *strings.Builder, q *core.LiveQuery) { out.WriteString(render(q)) }

func render(q *core.LiveQuery) string {
	var out strings.Builder
	for _, v := range q.Rows() {
		fmt.Fprintf(&out, "  %s", v.ID())
		for _, p := range releaseModel.Properties {
			fmt.Fprintf(&out, " %s=%s", p.Name, v.Field(p.Name))
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

// witness is a dialer that remembers how the two sides introduce themselves.
type witness struct {
	connectors.Dialer
	mu    sync.Mutex
	words []string
}

func (w *witness) Dial(ctx context.Context) (connectors.Conn, error) {
	conn, err := w.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &heard{conn, w}, nil
}

// told returns what was said, once.
func (w *witness) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.words, "\n")
}

func (w *witness) note(frame []byte) {
	f, err := proto.DecodeFrame(frame)
	if err != nil {
		return
	}
	var words string
	switch f := f.(type) {
	case *proto.Hello:
		words = fmt.Sprintf("the client knows store %s up to %v", f.Store, f.Position)
	case *proto.Welcome:
		words = fmt.Sprintf("the server is store %s, and its position is one of it: %v", f.Store, f.Continues)
	default:
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = append(w.words, words)
}

// heard is a connection of a witness.
type heard struct {
	connectors.Conn
	witness *witness
}

func (h *heard) Send(ctx context.Context, frame []byte) error {
	h.witness.note(frame)
	return h.Conn.Send(ctx, frame)
}

func (h *heard) Receive(ctx context.Context) ([]byte, error) {
	frame, err := h.Conn.Receive(ctx)
	h.witness.note(frame)
	return frame, err
}

// dumpScript returns a database as text: its version, its object store, and its records, a line
// each, in base64.
const dumpScript = `
	const db = await new Promise((resolve, reject) => {
		const request = indexedDB.open(%q);
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
	const name = db.objectStoreNames[0], all = (method) => new Promise((resolve, reject) => {
		const request = db.transaction(name).objectStore(name)[method]();
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
	const keys = await all('getAllKeys'), values = await all('getAll');
	const text = (bytes) => btoa(Array.from(new Uint8Array(bytes), (b) => String.fromCharCode(b)).join(''));
	const lines = [db.version + ' ' + name + ' ' + db.objectStoreNames.length];
	keys.forEach((key, i) => lines.push(text(key) + ' ' + text(values[i])));
	db.close();
	return lines.join('\n') + '\n';`

// loadScript makes a database of such a text.
const loadScript = `
	const lines = %q.trim().split('\n'), [version, name] = lines[0].split(' ');
	const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
	const db = await new Promise((resolve, reject) => {
		const request = indexedDB.open(%q, Number(version));
		request.onupgradeneeded = () => request.result.createObjectStore(name);
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
	const tx = db.transaction(name, 'readwrite');
	for (const line of lines.slice(1)) {
		const [key, value] = line.split(' ');
		tx.objectStore(name).put(bytes(value), bytes(key));
	}
	await new Promise((resolve, reject) => { tx.oncomplete = resolve; tx.onabort = () => reject(tx.error); });
	db.close();
	return 'loaded';`

func dumpDatabase(t *testing.T, name string) string {
	t.Helper()
	text := evaluate(t, fmt.Sprintf(dumpScript, name)).String()
	if !strings.HasPrefix(text, "1 records 1\n") {
		t.Fatalf("the database %s: %.100s", name, text)
	}
	return text
}

func loadDatabase(t *testing.T, name, records string) {
	t.Helper()
	if result := evaluate(t, fmt.Sprintf(loadScript, records, name)); result.Type() != js.TypeString || result.String() != "loaded" {
		t.Fatalf("the database %s: %v", name, result)
	}
}

// TestWriteRelease prints the data of a release, if it is asked to.
func TestWriteRelease(t *testing.T) {
	if !*writeRelease {
		return
	}
	p := &pair{t, newName(t), newName(t)}
	p.write()
	files := map[string]string{"client.records": dumpDatabase(t, p.client), "server.records": dumpDatabase(t, p.server)}
	files["expected.txt"] = p.observe()
	for name, text := range files {
		for line := range strings.Lines(text) {
			fmt.Printf("release %s %s", name, line)
		}
	}
}

// A browser that ran an earlier release goes on with this one: it shows its rows, knows what was
// refused, sends what waits, and is brought up to date from where it was.
func TestDataOfEarlierReleases(t *testing.T) {
	dirs, err := releases.ReadDir("testdata/releases")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		t.Run(dir.Name(), func(t *testing.T) {
			p := &pair{t, newName(t), newName(t)}
			loadDatabase(t, p.client, releaseFile(t, dir.Name(), "client.records"))
			loadDatabase(t, p.server, releaseFile(t, dir.Name(), "server.records"))
			got, want := strings.Split(p.observe(), "\n"), strings.Split(releaseFile(t, dir.Name(), "expected.txt"), "\n")
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func releaseFile(t *testing.T, release, name string) string {
	t.Helper()
	text, err := releases.ReadFile(path.Join("testdata/releases", release, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
