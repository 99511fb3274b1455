package core_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// TestAStoreOfSeveralProcessesReplicates: a durable node follows a store through one of the
// processes that write to it, and has what all of them commit, causes before effects; what it
// commits itself reaches all of them.
func TestAStoreOfSeveralProcessesReplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := memory.NewDisk()
		first := durable(t, core.Options{Engine: disk.Share(), Limits: quick})
		second := open(t, core.Options{Engine: disk.Share(), Durable: true, Limits: quick})
		own := memory.NewDisk()
		other := open(t, core.Options{Engine: own.Open(), Durable: true, Limits: quick})
		link := local.Connect(first, other)
		if err := other.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		var albums []id.EntityID
		want := 0
		for round := range 6 {
			if round == 3 { // it comes anew, from where it was
				link.Close()
				time.Sleep(time.Second)
			}
			for i := range 20 {
				albums = append(albums, create(t, first, fmt.Sprint("album ", round, i), 0))
				time.Sleep(time.Second) // the second process looks from time to time
				for k, n := range []*core.Node{second, first, second} {
					put(t, n, "album", albums[len(albums)-1], "year", 10*round+k)
					time.Sleep(time.Second)
				}
				if round >= 3 { // counted by the link that is there in the end
					want += 4
				}
			}
			if round == 3 {
				link = local.Connect(first, other)
			}
		}
		eventually(t, "the other has all of it", func() bool {
			return len(must(anonymous(other).Fetch(t.Context(), "album", selection(t, "")))) == len(albums)
		})
		put(t, other, "album", albums[0], "year", 1000)
		time.Sleep(5 * time.Second)
		for _, n := range []*core.Node{first, second, other} {
			if y := year(t, n, albums[0]); y != 1000 {
				t.Errorf("the year is %d", y)
			}
			for i, e := range albums[1:] {
				if y := year(t, n, e); y != int64(10*((i+1)/20)+2) {
					t.Errorf("album %d is of %d", i+1, y)
				}
			}
		}
		if there, here := transactions(t, disk), transactions(t, own); !maps.Equal(there, here) {
			t.Errorf("%d transactions there, %d here, not the same: some came out of order", len(there), len(here))
		}
		x := other.Replications()
		if len(x) != 1 || x[0].Refused > 0 || x[0].Lag > 0 || x[0].Taken != uint64(want) {
			t.Errorf("%+v, want %d taken", x, want)
		}
	})
}

// transactions returns the transactions in all feeds of a store.
func transactions(t *testing.T, disk *memory.Disk) map[id.TransactionID]bool {
	t.Helper()
	engine := disk.Open()
	feeds, err := engine.(storage.Walker).Feeds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[id.TransactionID]bool)
	for feed := range feeds {
		for _, entry := range must(engine.Feed(t.Context(), feed, 0, 0)) {
			all[entry.Transaction] = true
		}
	}
	return all
}
