package tikv

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// child is this program again, in another role.
type child struct {
	cmd        *exec.Cmd
	stdin      io.Closer
	stdout     io.Reader
	complaints bytes.Buffer
}

func startChild(t *testing.T, role, url string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), roleVar+"="+role, urlVar+"="+url)
	c.cmd.Stderr = &c.complaints
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			c.cmd.Process.Kill()
			c.cmd.Wait()
		}
	})
	return c
}

// A process that is killed while it commits loses nothing that it acknowledged, and leaves no
// part of a batch.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	url := tikvtest.URL(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var acknowledged bytes.Buffer
	var before uint64
	for round := range 4 {
		c := startChild(t, "write", url)
		lines := bufio.NewReader(io.TeeReader(c.stdout, &acknowledged))
		for range 1 + rng.IntN(60) {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatalf("the writer ended by itself: %v\n%s", err, c.complaints.String())
			}
		}
		c.cmd.Process.Kill()
		if _, err := io.Copy(&acknowledged, c.stdout); err != nil {
			t.Fatal(err)
		}
		c.cmd.Wait()
		acknowledged.WriteByte('\n') // a line may have been cut off
		e := open(t, url, Options{})
		stored := storagetest.VerifyAcknowledged(t, e, bytes.NewReader(acknowledged.Bytes()))
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if stored <= before {
			t.Fatalf("round %d: no progress beyond %d batches", round, before)
		}
		t.Logf("round %d: %d batches", round, stored)
		before = stored
	}
}

// Several processes add to one counter, and are killed while they do. At the end the counter is
// what their feeds tell, and everything that they acknowledged is there.
func TestProcessesCountTogether(t *testing.T) {
	cluster := tikvtest.New(t, 1)
	url := cluster.URL()
	e := open(t, url, Options{})
	defer e.Close()
	startCounter(t, e)
	// The counter and the feeds lie in different regions: a commit takes two phases.
	cluster.Split(e.store.dataKey([]byte("g")))
	tally := tally{acknowledged: map[id.NodeID]uint64{}}
	const processes, kills = 3, 4
	rng := rand.New(rand.NewPCG(3, 4))
	var running []*child
	for range processes {
		running = append(running, tally.start(t, url))
	}
	for range kills {
		tally.await(t, 20+rng.IntN(20))
		i := rng.IntN(processes)
		tally.kill(running[i])
		running[i] = tally.start(t, url)
	}
	tally.await(t, 20)
	for _, c := range running {
		c.stdin.Close()
		if err := tally.wait(c); err != nil {
			t.Errorf("a process that was told to end: %v\n%s", err, c.complaints.String())
		}
	}
	count, feeds := counter(t, e)
	var told uint64
	for feed, seq := range feeds {
		told += seq
		if tally.acknowledged[feed] > seq {
			t.Errorf("entry %d of feed %s was acknowledged, and it ends at %d", tally.acknowledged[feed], feed, seq)
		}
	}
	if count != told || told < uint64(tally.total) || told > uint64(tally.total)+kills {
		t.Errorf("the counter is %d, feeds have %d entries, and %d were acknowledged by processes of which %d were killed", count, told, tally.total, kills)
	}
}

// tally is what processes have acknowledged.
type tally struct {
	mu           sync.Mutex
	changed      sync.Cond
	acknowledged map[id.NodeID]uint64
	total        int
	readers      map[*child]chan struct{}
	ended        int
	toEnd        int
}

// start starts a process that counts, and reads what it acknowledges.
func (y *tally) start(t *testing.T, url string) *child {
	t.Helper()
	c := startChild(t, "count", url)
	done := make(chan struct{})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.changed.L = &y.mu
	if y.readers == nil {
		y.readers = map[*child]chan struct{}{}
	}
	y.readers[c] = done
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(c.stdout); lines.Scan(); {
			y.note(lines.Text())
		}
		y.mu.Lock()
		defer y.mu.Unlock()
		y.ended++
		y.changed.Broadcast()
	}()
	return c
}

func (y *tally) note(line string) {
	feed, text, _ := strings.Cut(line, " ")
	u, err := id.Parse(feed)
	var seq uint64
	if _, scanErr := fmt.Sscan(text, &seq); err != nil || scanErr != nil {
		return // it was cut off
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.acknowledged[id.NodeID{ULID: u}] = max(y.acknowledged[id.NodeID{ULID: u}], seq)
	y.total++
	y.changed.Broadcast()
}

// await waits until so many more were acknowledged, by whomever.
func (y *tally) await(t *testing.T, more int) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	for want := y.total + more; y.total < want; y.changed.Wait() {
		if y.ended > y.toEnd {
			t.Fatal("a process has ended by itself")
		}
	}
}

// kill ends a process, wherever it is.
func (y *tally) kill(c *child) {
	y.mu.Lock()
	y.toEnd++
	y.mu.Unlock()
	c.cmd.Process.Kill()
	y.wait(c)
}

// wait waits until a process has ended, and everything that it said was read.
func (y *tally) wait(c *child) error {
	<-y.readers[c]
	return c.cmd.Wait()
}
