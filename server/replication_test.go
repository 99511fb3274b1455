package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
)

var replicationKills = flag.Int("replication.kills", 10, "how often TestReplicatingServersLoseNothing kills one of the servers")

// pair is two server processes with stores of their own, the second of which dials the first.
type pair struct {
	addresses [2]string
	args      [2][]string
	processes [2]*process
}

func newPair(t *testing.T, args ...string) *pair {
	p := &pair{}
	for i := range p.addresses {
		p.addresses[i] = freeAddress(t)
		p.args[i] = []string{"--addr=" + p.addresses[i], "--data=" + t.TempDir(), "--metrics"}
		p.args[i] = append(p.args[i], args...)
	}
	p.args[1] = append(p.args[1], "--peers=ws://"+p.addresses[0])
	for i := range p.processes {
		p.spawn(t, i)
	}
	return p
}

func (p *pair) spawn(t *testing.T, i int) {
	p.processes[i] = spawn(t, p.args[i]...)
	p.processes[i].url(t)
}

// What either of two servers that replicate has acknowledged comes to be on both, once and
// whole, though each of them is killed with -9 at random moments while clients of both write.
func TestReplicatingServersLoseNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	p := newPair(t)
	for i := range p.addresses { // the second joins the first's system
		dial(t, "ws://"+p.addresses[i]).Close()
	}

	var acked atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	var clients []*writer
	for i := range 4 {
		w := newWriter(t, i, ws.Dialer("ws://"+p.addresses[i%2], ws.DialOptions{}), &acked)
		clients = append(clients, w)
		running.Go(func() { w.run(stop) })
	}
	ends := sync.OnceFunc(func() { close(stop); running.Wait() })
	defer ends()
	for range *replicationKills {
		for target := acked.Load() + 1 + r.Int64N(40); acked.Load() < target && !t.Failed(); {
			time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
		}
		i := r.IntN(2)
		p.processes[i].Process.Kill()
		p.processes[i].Wait()
		p.spawn(t, i)
	}
	ends()

	made := 0
	for _, w := range clients {
		made += w.made
	}
	for i := range p.addresses {
		reader := dial(t, "ws://"+p.addresses[i])
		inStep(t, reader, 2*made)
		verifyWriters(t, reader, clients)
	}
	t.Logf("%d transactions, %d acknowledged to a node that was still open", made, acked.Load())
}

// inStep waits until a node sees so many halves.
func inStep(t *testing.T, n *ankurah.Node, halves int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		list, err := ankurah.Fetch[Half](t.Context(), n.Context(ankurah.Anonymous), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) >= halves {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d halves after a minute, want %d", len(list), halves)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A server tells how it stands to its peers, and in words what is wrong.
func TestServersTellOfTheirPeers(t *testing.T) {
	p := newPair(t)
	p.processes[1].says(t, "replicating")
	p.processes[0].Process.Kill()
	p.processes[0].Wait()
	p.processes[1].says(t, "replication stands still")
	_, metrics := get(t, "http://"+p.addresses[1]+"/metrics")
	if want := `ankurah_replication_connected{peer="ws://` + p.addresses[0] + `"} 0`; !strings.Contains(metrics, want) {
		t.Errorf("the metrics do not say %s:\n%s", want, metrics)
	}

	other := start(t, "--data="+t.TempDir())
	data := t.TempDir()
	first := spawn(t, "--addr=127.0.0.1:0", "--data="+data) // has a system of its own
	first.url(t)
	first.Process.Kill()
	first.Wait()
	second := spawn(t, "--addr=127.0.0.1:0", "--data="+data, "--peers="+other.url("ws"))
	if reason := second.says(t, "replication stands still"); !strings.Contains(reason, "another system") {
		t.Errorf("it says %s", reason)
	}

	missing := filepath.Join(t.TempDir(), "none")
	bad := spawn(t, "--addr=127.0.0.1:0", "--data="+t.TempDir(), "--peers=ws://127.0.0.1:1", "--peer-credentials="+missing)
	if reason := bad.says(t, "--peer-credentials"); !strings.Contains(reason, missing) {
		t.Errorf("it says %s", reason)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("it made the file")
	}
}
