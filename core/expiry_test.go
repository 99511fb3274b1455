package core_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
)

// ticketed is an agent whose credentials are the time at which they expire, and that shows
// what its rule says.
type ticketed struct {
	policy.Agent
	rule atomic.Pointer[string]
}

func (*ticketed) Authenticate(_ context.Context, credentials []byte) (policy.Principal, error) {
	at, err := time.Parse(time.RFC3339, string(credentials))
	if err != nil {
		return policy.Principal{}, policy.Denied("no ticket: %v", err)
	}
	return policy.Principal{Name: "holder", Claims: at}, nil
}

func (*ticketed) Expires(p policy.Principal) time.Time { at, _ := p.Claims.(time.Time); return at }

func (a *ticketed) Narrow(policy.Principal, string) (ankql.Expr, error) {
	if rule := a.rule.Load(); rule != nil {
		s, err := ankql.Parse(*rule)
		return s.Where, err
	}
	return nil, nil
}

// TestCredentialsExpire: a connection is served as long as its credentials are valid, and told
// why it ends; what it had sent is answered. A link that can renew them is back at once, and
// loses nothing.
func TestCredentialsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Policy: &ticketed{Agent: policy.Permissive()}})
		ticket := func(d time.Duration) []byte { return []byte(time.Now().Add(d).Format(time.RFC3339)) }

		w, served := raw(t, server)
		w.send(&proto.Hello{Node: w.node, Time: time.Now().UnixMicro(), Credentials: ticket(time.Minute)})
		until[*proto.Catalog](w)
		began := time.Now()
		var alive atomic.Bool
		alive.Store(true)
		defer alive.Store(false)
		go func() {
			for alive.Load() {
				_ = w.conn.Send(context.Background(), proto.AppendFrame(nil, &proto.Ping{}))
				time.Sleep(5 * time.Second)
			}
		}()
		time.Sleep(55 * time.Second)
		committed := w.commit(w.creation("album", with("name", "late")))
		w.send(committed)
		if m := w.ack(); m.Transaction != committed.Transaction {
			t.Errorf("%+v", m)
		}
		if m := until[*proto.Refuse](w); core.Kind(m.Kind) != core.KindExpired || time.Since(began) < 59*time.Second || time.Since(began) > 61*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), m)
		}
		alive.Store(false)
		<-served
		late, refused := raw(t, server)
		late.send(&proto.Hello{Node: late.node, Time: time.Now().UnixMicro(), Credentials: ticket(-time.Second)})
		if m := late.refused(refused); core.Kind(m.Kind) != core.KindExpired {
			t.Errorf("with an old ticket: %+v", m)
		}

		a := openAlbums(t, core.Options{})
		renewed := 0
		a.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{Renew: func(context.Context) ([]byte, error) {
			renewed++
			return ticket(time.Minute), nil
		}})
		q := watch(t, a, "album", "ORDER BY year")
		for i := range 20 {
			create(t, server, fmt.Sprint(i), int64(i+1))
			time.Sleep(31 * time.Second)
			if a.Status().Connection != core.Live || q.Status() != core.QueryLive || len(q.Rows()) != i+2 {
				t.Fatalf("after %d tickets: %+v, %v, %d rows", renewed, a.Status(), q.Status(), len(q.Rows()))
			}
		}
		if renewed < 9 || renewed > 11 {
			t.Errorf("%d tickets", renewed)
		}
	})
}

// TestRulesChange: when an agent says that its rules have changed, who is connected sees by the
// new ones, and no more of what they hide.
func TestRulesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := &ticketed{Agent: policy.Permissive()}
		server := durable(t, core.Options{Policy: agent})
		for i := range 6 {
			create(t, server, fmt.Sprint(i), int64(i))
		}
		a := openAlbums(t, core.Options{})
		a.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{Credentials: []byte(time.Now().Add(time.Hour).Format(time.RFC3339))})
		all, some := watch(t, a, "album", "ORDER BY year"), watch(t, a, "album", "year > 1 ORDER BY year LIMIT 3")
		shown := func(want string) {
			t.Helper()
			time.Sleep(time.Second)
			if got := strings.Join([]string{rowNames(all, "name"), rowNames(some, "name")}, "; "); got != want || all.Status() != core.QueryLive {
				t.Errorf("shows %s, want %s; %v", got, want, all.Status())
			}
		}
		shown("0 1 2 3 4 5; 2 3 4")
		rule := "NOT year = 3"
		agent.rule.Store(&rule)
		server.Reconsider()
		shown("0 1 2 4 5; 2 4 5")
		agent.rule.Store(nil)
		server.Reconsider()
		shown("0 1 2 3 4 5; 2 3 4")
	})
}
