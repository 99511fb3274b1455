package core_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// TestChangedScopeAfterAReconnect: a live result is what its principal may see now, also where
// that changed between two connections and no row did.
func TestChangedScopeAfterAReconnect(t *testing.T) {
	var scope atomic.Value
	scope.Store("")
	agent := &scripted{Agent: policy.Permissive(), narrow: func(policy.Principal, string) (string, error) {
		return scope.Load().(string), nil
	}}
	server := durable(t, core.Options{Policy: agent})
	a, link := linked(t, server, core.Options{})
	create(t, server, "early", 1990)
	create(t, server, "late", 2010)
	all, recent := liveOn(t, a, "ORDER BY name"), liveOn(t, a, "year > 2000")
	shows(t, all, "early late ")
	for _, step := range []struct{ scope, all, recent string }{
		{"year < 2000", "early ", ""},
		{"year > 2000", "late ", "late "},
		{"", "early late ", "late "},
	} {
		offline(t, a, link)
		scope.Store(step.scope)
		link = local.Connect(server, a)
		waitLive(t, a)
		shows(t, all, step.all)
		shows(t, recent, step.recent)
	}
}

// TestAcknowledgedTwiceToldOnce: a transaction that is acknowledged again, because the
// connection ended before the row that it waited for came, is told of once.
func TestAcknowledgedTwiceToldOnce(t *testing.T) {
	server := handmade()
	a := openAlbums(t, core.Options{})
	told := make(chan core.Settled, 10)
	a.OnSettled(func(s core.Settled) { told <- s })
	again := make(chan struct{})
	a.Dial(server.accept(t, func(w *wire) {
		server.welcome(w)
		commit := until[*proto.Commit](w)
		// The row has a later revision and another head than this node knows of.
		for range 2 {
			w.send(&proto.Ack{Transaction: commit.Transaction, Attempt: commit.Attempt, Rows: []proto.AckRow{
				{Entity: commit.Events[0].Entity, Rev: 7, Before: proto.NewClock(commit.Events[0].ID), Known: true}}})
		}
		w.send(&proto.Ping{Time: 1})
		until[*proto.Pong](w)
		close(again)
		_, _ = w.conn.Receive(context.Background())
	}), core.DialOptions{})
	tx := anonymous(a).Begin()
	if _, err := tx.Create(t.Context(), "album", []proto.Field{{Name: "name", Value: value.String("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := commit(t, tx).Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-again
	if n := len(told); n != 1 {
		t.Errorf("told %d times", n)
	}
}
