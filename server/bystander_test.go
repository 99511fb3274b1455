package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// bystanders are two honest clients, one that writes and one that watches: they are to notice
// nothing of what others do to the server.
type bystanders struct {
	t       *testing.T
	writer  *ankurah.Node
	query   *ankurah.LiveQuery[model.Album]
	written int

	mu   sync.Mutex
	seen map[ankurah.EntityID]int // how often the watcher was told that an album was added
	news chan struct{}
	lost []string // connections, and albums that were removed
}

// patience bounds a failing run only.
const patience = time.Minute

func standBy(t *testing.T, url string) *bystanders {
	t.Helper()
	b := &bystanders{t: t, seen: make(map[ankurah.EntityID]int), news: make(chan struct{}, 1)}
	b.writer = b.connect(url)
	query, err := ankurah.Query[model.Album](b.connect(url).Context(ankurah.Anonymous), "artist = 'bystander'")
	if err != nil {
		t.Fatal(err)
	}
	b.query = query
	t.Cleanup(query.Close)
	t.Cleanup(query.Subscribe(b.note))
	return b
}

func (b *bystanders) connect(url string) *ankurah.Node {
	b.t.Helper()
	node, err := ankurah.Open(context.Background(), ankurah.Options{Engine: memory.New(), Listener: core.Listener{
		Disconnected: func(_ id.NodeID, _ string, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.lost = append(b.lost, fmt.Sprint(err))
		}}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { node.Close() })
	node.Dial(ws.Dialer(url, ws.DialOptions{}), ankurah.DialOptions{})
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := node.WaitReady(ctx); err != nil {
		b.t.Fatal(err)
	}
	return node
}

func (b *bystanders) note(c ankurah.Changes[model.Album]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, change := range c.Changes {
		switch change.Kind {
		case core.ChangeInitial, core.ChangeAdded:
			b.seen[change.ID]++
		case core.ChangeRemoved:
			b.lost = append(b.lost, fmt.Sprint("an album: ", change.ID))
		}
	}
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// work has the writer commit albums for a while, one after the other, each of which the watcher
// has to see; it returns how long one took, in the middle of all.
func (b *bystanders) work(while time.Duration) time.Duration {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), while+patience)
	defer cancel()
	var took []time.Duration
	for end := time.Now().Add(while); len(took) < 5 || time.Now().Before(end); {
		began := time.Now()
		album, err := b.write(ctx)
		if err != nil {
			b.t.Fatalf("album %d: %v (%v)", b.written, err, b.writer.Status().LastError)
		}
		b.until(ctx, album)
		b.written++
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// write commits an album.
func (b *bystanders) write(ctx context.Context) (ankurah.EntityID, error) {
	tx := b.writer.Context(ankurah.Anonymous).Begin()
	album, err := ankurah.Create(tx, &model.Album{Name: fmt.Sprint(b.written), Artist: "bystander"})
	if err != nil {
		return album.EntityID, err
	}
	receipt, err := tx.Commit(ctx)
	if err != nil {
		return album.EntityID, err
	}
	return album.EntityID, receipt.Synced(ctx)
}

// until returns when the watcher has seen an album.
func (b *bystanders) until(ctx context.Context, album ankurah.EntityID) {
	b.t.Helper()
	for {
		b.mu.Lock()
		seen := b.seen[album] > 0
		b.mu.Unlock()
		if seen {
			return
		}
		select {
		case <-b.news:
		case <-ctx.Done():
			b.t.Fatal("the watcher does not see what the writer has written")
		}
	}
}

// undisturbed checks what holds at every moment: no connection was lost, and the watcher saw
// everything, each once.
func (b *bystanders) undisturbed() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lost) > 0 {
		b.t.Errorf("bystanders lost %q", b.lost)
		b.lost = nil
	}
	if len(b.seen) != b.written {
		b.t.Errorf("the watcher has seen %d albums of %d", len(b.seen), b.written)
	}
	for album, times := range b.seen {
		if times != 1 {
			b.t.Errorf("%v was added %d times", album, times)
		}
	}
}

// metric reads one of the server's gauges.
func metric(t testing.TB, http, name string) int {
	t.Helper()
	_, text := get(t, http+"/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(f)
		}
	}
	t.Fatalf("there is no %s in\n%s", name, text)
	return 0
}

// peakMemory returns the most that a process has had resident, in bytes, or 0 where the
// system does not tell.
func peakMemory(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(value)[0])
			return kb << 10
		}
	}
	return 0
}
