package tikvtest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/txnkv"

	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

func connect(t *testing.T, c *tikvtest.Cluster) *txnkv.Client {
	t.Helper()
	client, err := txnkv.NewClient([]string{c.PD()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// put writes keys in one transaction, in one phase if it can.
func put(client *txnkv.Client, value string, keys ...string) error {
	tx, err := client.Begin()
	if err != nil {
		return err
	}
	tx.SetEnable1PC(true)
	for _, key := range keys {
		if err := tx.Set([]byte(key), []byte(value)); err != nil {
			return err
		}
	}
	return tx.Commit(context.Background())
}

func get(t *testing.T, client *txnkv.Client, key string) string {
	t.Helper()
	tx, err := client.Begin()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := tx.Get(t.Context(), []byte(key))
	if err != nil && !tikverr.IsErrNotFound(err) {
		t.Fatal(err)
	}
	return string(entry.Value)
}

// What one client commits another sees, whatever regions it is in and wherever they are led
// from.
func TestClientsShareTheCluster(t *testing.T) {
	c := tikvtest.New(t, 2)
	a, b := connect(t, c), connect(t, c)
	for i := range 4 {
		value := fmt.Sprint(i)
		if err := put(a, value, "a", "m", "z"); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "m", "z"} {
			if got := get(t, b, key); got != value {
				t.Errorf("%s is %q, want %q", key, got, value)
			}
		}
		switch i {
		case 0:
			c.Split([]byte("k"))
			c.Split([]byte("k")) // which it is
			if n := c.Regions(); n != 2 {
				t.Errorf("%d regions", n)
			}
		case 1:
			if err := c.MoveLeader([]byte("z"), 1); err != nil {
				t.Error(err)
			}
		case 2:
			for i := range 2 {
				c.StopStore(i)
				c.StartStore(i)
			}
		}
	}
}

func TestTransactionsThatOverlapConflict(t *testing.T) {
	c := tikvtest.New(t, 1)
	client := connect(t, c)
	late, err := client.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := put(client, "first", "a"); err != nil {
		t.Fatal(err)
	}
	if err := late.Set([]byte("a"), []byte("second")); err != nil {
		t.Fatal(err)
	}
	if err := late.Commit(t.Context()); !tikverr.IsErrWriteConflict(err) {
		t.Errorf("committed over what it had not seen: %v", err)
	}
	if got := get(t, client, "a"); got != "first" {
		t.Errorf("stored %q", got)
	}
}

// A request whose reply is lost is sent again by the client, and was carried out once.
func TestLostRepliesAreSentAgain(t *testing.T) {
	for _, split := range []bool{false, true} { // in one phase, and in two
		c := tikvtest.New(t, 1)
		client := connect(t, c)
		if split {
			c.Split([]byte("b"))
		}
		var lost atomic.Int32
		c.Inject(func(call tikvtest.Call) tikvtest.Fault {
			if (call.Kind == "Prewrite" || call.Kind == "Commit") && lost.Add(1) == 1 {
				return tikvtest.Fault{Kind: tikvtest.LostReply, Delay: time.Millisecond}
			}
			return tikvtest.Fault{}
		})
		if err := put(client, "1", "a", "c"); err != nil {
			t.Errorf("split %v: %v", split, err)
		}
		if lost.Load() < 2 {
			t.Errorf("split %v: nothing was sent again", split)
		}
		if a, c := get(t, client, "a"), get(t, client, "c"); a != "1" || c != "1" {
			t.Errorf("split %v: stored %q and %q", split, a, c)
		}
	}
}
