package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// misled returns a client that holds an album of the server's, is offline, and believes that
// it is so much later than it is.
func misled(t *testing.T, server *core.Node, ahead time.Duration) (client *core.Node, held id.EntityID) {
	t.Helper()
	disk := memory.NewDisk()
	client = open(t, core.Options{Engine: disk.Open()})
	if err := client.Register(t.Context(), album); err != nil {
		t.Fatal(err)
	}
	held = create(t, server, "held", 1)
	link := local.Connect(server, client)
	settled()
	if _, err := anonymous(client).Fetch(t.Context(), "album", selection(t, "")); err != nil {
		t.Fatal(err)
	}
	link.Close()
	client.Close()
	client = open(t, core.Options{Engine: disk.Open(), Clock: func() time.Time { return time.Now().Add(ahead) }})
	return client, held
}

// What was edited while the clock was ahead is dated again and accepted, and keeps its order.
func TestEarlyEditsAreDatedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{})
		client, held := misled(t, server, 3*time.Hour)
		one := put(t, client, "album", held, "name", "one")
		two := put(t, client, "album", held, "name", "two", "year", 2)
		local.Connect(server, client)
		settled()
		for _, r := range []*core.Receipt{one, two} {
			if err := r.Synced(t.Context()); err != nil {
				t.Error(err)
			}
		}
		v, err := anonymous(server).Get(t.Context(), "album", held)
		if err != nil || text(v, "name") != "two" || len(v.State().Head) != 1 {
			t.Fatalf("%v, %v", v, err)
		}
		if ahead := time.Until(v.State().Head[0].Stamp().Time()); ahead > 5*time.Minute {
			t.Errorf("it is dated %s ahead", ahead)
		}
		put(t, server, "album", held, "name", "three") // later than what was done before
		settled()
		if rows, err := anonymous(client).Fetch(t.Context(), "album", selection(t, "name = 'three'")); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
		}
		if list, err := client.Rejections(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// What was created then keeps its identity, and so its date: it waits, with what is on top of
// it, and so does nothing else.
func TestEarlyCreationsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{})
		client, held := misled(t, server, 20*time.Minute)
		early := add(t, client, "album", "name", "early")
		edit := put(t, client, "album", early, "name", "edited")
		other := put(t, client, "album", held, "name", "other")
		local.Connect(server, client)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := client.Status().Pending; got != 2 {
			t.Errorf("after 10 minutes %d transactions wait, want 2", got)
		}
		if err := other.Synced(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		if err := edit.Synced(t.Context()); err != nil {
			t.Error(err)
		}
		if v, err := anonymous(server).Get(t.Context(), "album", early); err != nil || text(v, "name") != "edited" {
			t.Errorf("%v, %v", v, err)
		}
		if list, err := client.Rejections(t.Context()); err != nil || len(list) > 0 || client.Status().Pending > 0 {
			t.Errorf("%v, %v, %d wait", list, err, client.Status().Pending)
		}
	})
}
