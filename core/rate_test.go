package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
)

// signIn says hello with credentials.
func (w *wire) signIn(credentials string) {
	w.t.Helper()
	w.send(&proto.Hello{Node: w.node, Time: time.Now().UnixMicro(), Credentials: []byte(credentials)})
	until[*proto.Catalog](w)
}

// pings sends so many pings, without waiting for answers, and returns how long it took until
// the last was answered.
func (w *wire) pings(count int) time.Duration {
	w.t.Helper()
	began := time.Now()
	go func() {
		for range count {
			w.send(&proto.Ping{})
		}
	}()
	for range count {
		until[*proto.Pong](w)
	}
	return time.Since(began)
}

// Whoever asks too much is slowed down, alone or over several connections, and nobody else
// is.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := &scripted{Agent: policy.Permissive(), authenticate: func(credentials string) (policy.Principal, error) {
			return policy.Principal{Name: credentials}, nil
		}}
		server := durable(t, core.Options{Policy: agent, Limits: core.Limits{Rate: 100, Burst: 50, PrincipalRate: 150, PrincipalBurst: 50}})
		connect := func(name string) *wire {
			w, _ := raw(t, server)
			w.signIn(name)
			return w
		}
		if took := connect("").pings(50); took != 0 {
			t.Errorf("a burst took %s", took)
		}
		greedy, other := connect(""), connect("")
		slow := make(chan time.Duration, 2)
		go func() { slow <- greedy.pings(1050) }()
		if took := other.pings(40); took != 0 {
			t.Errorf("somebody else's burst took %s", took)
		}
		if took := <-slow; took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			t.Errorf("1,000 over the burst took %s, at 100 a second", took)
		}

		one, two := connect("matt"), connect("matt")
		for _, w := range []*wire{one, two} {
			go func() { slow <- w.pings(775) }()
		}
		if took := max(<-slow, <-slow); took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			t.Errorf("1,500 over the burst took %s, at 150 a second for both", took)
		}

		// What costs more than the burst gets through, and is paid for after that.
		writer := connect("")
		var events []*proto.Event
		for range 150 {
			events = append(events, writer.creation("album", fields("x", 1)))
		}
		began := time.Now()
		writer.send(writer.commit(events...))
		writer.ack()
		if took := time.Since(began); took < 900*time.Millisecond || took > 1100*time.Millisecond {
			t.Errorf("100 over the burst took %s", took)
		}
		server.Close()
	})
}
