package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
)

// secretive shows no row whose name says that it is secret.
type secretive struct{ policy.Agent }

func (secretive) Read(_ policy.Principal, _ string, row policy.Fields) error {
	if name, _ := row.Field("name").AsString(); strings.HasPrefix(name, "secret") {
		return policy.Denied("the name says so")
	}
	return nil
}

// TestWindowsPassOverHiddenRows: rows that the agent hides one by one do not fill a window,
// however many of them there are, and do not keep it from being filled.
func TestWindowsPassOverHiddenRows(t *testing.T) {
	server := durable(t, core.Options{Policy: secretive{policy.Permissive()}})
	peer := connected(t, server, core.Options{})
	var list []id.EntityID
	several(t, server, func(tx *core.Tx) error {
		for i := range 60 {
			e, err := tx.Create(t.Context(), "album", fields(fmt.Sprintf("name %02d", i), int64(100*i)))
			if err != nil {
				return err
			}
			list = append(list, e)
			for j := range 5 { // more of them than a window holds in store
				if _, err := tx.Create(t.Context(), "album", fields(fmt.Sprint("secret ", i), int64(100*i+j))); err != nil {
					return err
				}
			}
		}
		return nil
	})
	here, there := query(t, server, "ORDER BY year LIMIT 3"), query(t, peer, "ORDER BY year LIMIT 3")
	eventually(t, "live", func() bool { return there.Status() == core.QueryLive })
	for i := 0; i+3 <= len(list); i += 7 {
		want := fmt.Sprintf("name %02d name %02d name %02d ", i, i+1, i+2)
		shows(t, here, want)
		shows(t, there, want)
		several(t, server, func(tx *core.Tx) error {
			for _, e := range list[i:min(i+7, len(list))] {
				if err := tx.Delete(t.Context(), "album", e); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// TestWhatOnesOwnWriteHides: a peer that writes what it may not see, by its scope or row by row,
// is told with the acknowledgement that it is gone, whether or not it watches; what it may see
// stays, and what becomes visible again comes back.
func TestWhatOnesOwnWriteHides(t *testing.T) {
	scoped := &scripted{Agent: policy.Permissive(), narrow: func(p policy.Principal, _ string) (string, error) { return "NOT name LIKE 'secret%'", nil }}
	for name, agent := range map[string]policy.Agent{"scope": scoped, "rows": secretive{policy.Permissive()}} {
		for _, watched := range []string{"", "year > 10", "ORDER BY name LIMIT 3"} {
			t.Run(name+" "+watched, func(t *testing.T) {
				server := durable(t, core.Options{Policy: agent})
				e := create(t, server, "plain", 20)
				peer, link := linked(t, server, core.Options{})
				if _, err := anonymous(peer).Get(t.Context(), "album", e); err != nil {
					t.Fatal(err)
				}
				if watched != "" {
					q := watch(t, peer, "album", watched)
					eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
				}
				put(t, peer, "album", e, "name", "secret plan")
				fine := create(t, peer, "fine", 30)
				create(t, peer, "secret too", 40)
				delivered(t, peer)
				if _, err := anonymous(peer).Get(t.Context(), "album", id.EntityID{}); core.KindOf(err) != core.KindNotFound {
					t.Fatal(err) // it comes behind what the acknowledgement brought
				}
				offline(t, peer, link)
				if got := rowNames(watch(t, peer, "album", ""), "name"); got != "fine" {
					t.Errorf("it holds %q", got)
				}
				put(t, server, "album", fine, "name", "secret as well")
				put(t, server, "album", e, "name", "plain again")
				local.Connect(server, peer)
				q := watch(t, peer, "album", "")
				eventually(t, "what others did", func() bool { return q.Status() == core.QueryLive && rowNames(q, "name") == "plain again" })
			})
		}
	}
}

// TestEditsOfAHiddenRowStayItsEdits: what is pending on a row that went out of sight, and is made
// again because what it was on top of was refused, is an edit of that row.
func TestEditsOfAHiddenRowStayItsEdits(t *testing.T) {
	var decide chan struct{}
	agent := &scripted{Agent: policy.Permissive(),
		narrow: func(policy.Principal, string) (string, error) { return "NOT name LIKE 'secret%'", nil },
		write: func(_ policy.Principal, w policy.Write) error {
			if year, _ := w.After.Field("year").AsInt(); year == 666 {
				<-decide
				return policy.Denied("not this year")
			}
			return nil
		}}
	server := durable(t, core.Options{Policy: agent})
	e, other := create(t, server, "plain", 20), create(t, server, "other", 30)
	peer, link := linked(t, server, core.Options{})
	q := watch(t, peer, "album", "ORDER BY year")
	shows(t, q, "plain other ")
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	offline(t, peer, link)
	put(t, server, "album", e, "name", "secret")
	decide = make(chan struct{})
	refused := put(t, peer, "album", e, "year", 666)
	put(t, peer, "album", e, "artist", "first")
	put(t, peer, "album", e, "artist", "second")
	local.Connect(server, peer)
	shows(t, q, "other ")
	close(decide)
	if err := refused.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
		t.Fatal(err)
	}
	delivered(t, peer)
	agent.set(func() { agent.narrow = nil })
	all := must(anonymous(server).Fetch(t.Context(), "album", selection(t, "ORDER BY year")))
	if len(all) != 2 || all[0].ID() != e || all[1].ID() != other {
		t.Fatalf("the durable node has %d rows", len(all))
	}
	if year, artist := all[0].Field("year"), text(all[0], "artist"); year != value.Int(20) || artist != "second" {
		t.Errorf("the row is of %v, by %q", year, artist)
	}
}
