package tikv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// The tests that need other processes run this binary again, with what it is to do and the
// prefix in the environment.
const (
	roleVar = "TIKV_TEST_ROLE"
	urlVar  = "TIKV_TEST_URL"
)

func TestMain(m *testing.M) {
	url := os.Getenv(urlVar)
	switch role := os.Getenv(roleVar); role {
	case "":
		code := m.Run()
		tikvtest.StopShared()
		os.Exit(code)
	case "write":
		exit(writeUntilKilled(url))
	case "count":
		exit(countUntilKilled(url))
	default:
		exit(fmt.Errorf("unknown role %q", role))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func writeUntilKilled(url string) error {
	e, err := Open(context.Background(), url, Options{Timeout: ample})
	if err != nil {
		return err
	}
	return storagetest.WriteUntilKilled(context.Background(), e, os.Stdout)
}

// counted is the entity that all processes count with.
var counted = func() id.EntityID {
	_, rec := storagetest.NewWorld(77).Create(storagetest.Albums)
	return rec.Entity
}()

// countUntilKilled adds to a counter that all processes add to. Each increment is an entry of
// the process's feed, and is told when it is acknowledged. It ends in good order when its
// standard input does.
func countUntilKilled(url string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		bufio.NewReader(os.Stdin).ReadString(0)
		cancel()
	}()
	for {
		err := countUntilFenced(ctx, url)
		if !errors.Is(err, storage.ErrFenced) { // the machine may be too busy for a sign of life
			return err
		}
	}
}

func countUntilFenced(ctx context.Context, url string) error {
	e, err := Open(context.Background(), url, Options{Timeout: ample, Lease: countingLease})
	if err != nil {
		return err
	}
	defer e.Close()
	feed, err := e.Join(context.Background())
	if err != nil {
		return err
	}
	feeds, err := e.Feeds(context.Background())
	if err != nil {
		return err
	}
	world := storagetest.NewWorld(uint64(os.Getpid()))
	for seq := feeds[feed] + 1; ctx.Err() == nil; {
		switch err := countOnce(e, world, feed, seq); {
		case err == nil:
			fmt.Printf("%s %d\n", feed, seq)
			seq++
		case !errors.Is(err, storage.ErrConflict):
			return err
		}
	}
	return nil
}

// countingLease is short, so that feeds of processes that were killed are taken over.
const countingLease = time.Second

// countOnce adds one to the counter, unless another is faster.
func countOnce(e *Engine, world *storagetest.World, feed id.NodeID, seq uint64) error {
	recs, err := e.Records(context.Background(), []id.EntityID{counted})
	if err != nil {
		return err
	}
	year, _ := recs[0].Field("year").AsInt()
	ev, edited := world.Edit(recs[0], proto.Field{Name: "year", Value: value.Int(year + 1)})
	return e.Commit(context.Background(), &storage.Batch{
		Events:  []*proto.Event{ev},
		Records: []storage.RecordWrite{{Record: edited, Expect: recs[0].State.Head}},
		FeedID:  feed, Feed: []*proto.FeedEntry{{Seq: seq, Transaction: world.Transaction()}},
	})
}

// startCounter puts the counter that the processes add to.
func startCounter(t *testing.T, e *Engine) {
	t.Helper()
	ev, rec := storagetest.NewWorld(77).Create(storagetest.Albums)
	if rec.Entity != counted {
		t.Fatal("the world makes another entity")
	}
	if err := e.Commit(t.Context(), &storage.Batch{Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec}}}); err != nil {
		t.Fatal(err)
	}
}

// counter returns the counter, and how long each feed is.
func counter(t *testing.T, e *Engine) (count uint64, feeds map[id.NodeID]uint64) {
	t.Helper()
	v, err := e.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	recs, err := v.Records(t.Context(), []id.EntityID{counted})
	if err != nil {
		t.Fatal(err)
	}
	year, _ := recs[0].Field("year").AsInt()
	if feeds, err = v.Feeds(t.Context()); err != nil {
		t.Fatal(err)
	}
	return uint64(year), feeds
}
