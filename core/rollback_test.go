package core_test

import (
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
)

// lateRefuser refuses like refuser, but not before it is allowed to.
type lateRefuser struct {
	refuser
	decide chan struct{}
}

func (r lateRefuser) Write(p policy.Principal, w policy.Write) error {
	err := r.refuser.Write(p, w)
	if err != nil {
		<-r.decide
	}
	return err
}

// TestRolledBackRowsAreAskedFor: a row that a refused transaction brings back is the one that
// the durable node has, also where it changed while an own change hid it from the answer.
func TestRolledBackRowsAreAskedFor(t *testing.T) {
	for name, after := range map[string]func(t *testing.T, server *core.Node, e id.EntityID) (want string){
		"deleted": func(t *testing.T, server *core.Node, e id.EntityID) string {
			remove(t, server, "album", e)
			return "other "
		},
		"left": func(t *testing.T, server *core.Node, e id.EntityID) string {
			put(t, server, "album", e, "year", 1999)
			return "other "
		},
		"changed": func(t *testing.T, server *core.Node, e id.EntityID) string {
			put(t, server, "album", e, "name", "hidden 2")
			return "hidden 2 other "
		},
	} {
		for _, text := range []string{"year = 2000", "year = 2000 ORDER BY name", "year = 2000 ORDER BY name LIMIT 3"} {
			t.Run(name+" "+text, func(t *testing.T) {
				agent := lateRefuser{refuser{policy.Permissive()}, make(chan struct{})}
				server := durable(t, core.Options{Policy: agent})
				hidden, other := create(t, server, "hidden", 2000), create(t, server, "other", 2000)
				a, link := linked(t, server, core.Options{})
				q := query(t, a, text)
				shows(t, q, "hidden other ")
				q.Close()
				offline(t, a, link)
				want := after(t, server, hidden)

				tx := anonymous(a).Begin()
				if err := tx.Delete(t.Context(), "album", hidden); err != nil {
					t.Fatal(err)
				}
				if err := tx.Set(t.Context(), "album", other, with("name", "forbidden")); err != nil {
					t.Fatal(err)
				}
				refused := commit(t, tx)
				q = query(t, a, text)
				shows(t, q, "forbidden ")
				local.Connect(server, a)
				eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
				close(agent.decide)
				if err := refused.Synced(t.Context()); core.KindOf(err) != core.KindDenied {
					t.Fatal(err)
				}
				shows(t, q, want)
			})
		}
	}
}

// TestWhatIsMadeOnTopOfARefusedChangeArrives: a transaction that was begun on top of a pending
// change, and commits when that has been refused, is on top of what is left, and not of what no
// durable node will ever have.
func TestWhatIsMadeOnTopOfARefusedChangeArrives(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T, c *core.Node, e id.EntityID){
		"refused": func(t *testing.T, c *core.Node, e id.EntityID) { put(t, c, "album", e, "name", "forbidden") },
		"made again": func(t *testing.T, c *core.Node, e id.EntityID) {
			put(t, c, "album", e, "name", "forbidden")
			put(t, c, "album", e, "name", "fine")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, a, b, _ := twoSites(t)
				for _, s := range []*site{a, b} { // each would wait for the other to have it
					r.down(s)
					s.opts.Policy = refuser{policy.Permissive()}
					r.up(s)
				}
				c := newRoaming(t)
				c.to(a)
				e := create(t, c.node, "old", 2000)
				c.delivered()
				c.leave()
				begin(t, c.node, e)
				tx := anonymous(c.node).Begin()
				if err := tx.Set(t.Context(), "album", e, with("year", 2001)); err != nil {
					t.Fatal(err)
				}
				c.to(a)
				c.delivered()
				receipt := commit(t, tx)
				if y := year(t, c.node, e); y != 2001 {
					t.Errorf("the client shows %d", y)
				}
				synced(t, receipt)
				v, err := anonymous(a.node).Get(t.Context(), "album", e)
				if err != nil || len(v.State().Head) != 1 || year(t, a.node, e) != 2001 {
					t.Errorf("the durable node has %v, %v", v, err)
				}
			})
		})
	}
}
