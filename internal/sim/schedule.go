package sim

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
)

// Step is one thing that happens in a run.
type Step struct {
	Kind  Kind
	After time.Duration // since the step before
	Seed  uint64        // of its randomness
}

// Schedule draws the steps of a run.
func (s *Scenario) Schedule(seed uint64) []Step {
	rnd := rand.New(rand.NewPCG(seed, 0x5eed))
	total := 0
	for _, n := range s.Weights {
		total += n
	}
	steps := make([]Step, s.Steps)
	for i := range steps {
		kind, roll := Kind(0), rnd.IntN(total)
		for roll >= s.Weights[kind] {
			roll -= s.Weights[kind]
			kind++
		}
		pause := time.Duration(rnd.Int64N(int64(s.Pause)))
		if rnd.IntN(3) == 0 {
			pause = time.Duration(1 + rnd.IntN(1000)) // at almost the same time
		}
		steps[i] = Step{kind, pause, rnd.Uint64()}
	}
	return steps
}

// do carries a step out; it may take its time.
func (w *World) do(ctx context.Context, s Step) error {
	rnd := rand.New(rand.NewPCG(s.Seed, 0))
	m := w.machines[rnd.IntN(len(w.machines))]
	w.trace.add("%s %s", m.name, s.Kind)
	switch s.Kind {
	case Transact:
		return w.transact(ctx, rnd, m)
	case Fetch:
		return w.fetch(ctx, rnd, m)
	case History:
		return w.history(ctx, rnd, m)
	case Reconsider:
		return w.reconsider(ctx, rnd, w.client(rnd))
	case Look:
		return w.lookAgain(w.client(rnd))
	case Cut:
		w.net.Cut(m, rnd.IntN(2) == 0)
	case Partition:
		w.partition(rnd, m)
	case Restart:
		m.restart(duration(rnd, 10*time.Second), nil)
	case Crash:
		m.die()
	case Fuse:
		m.disk.Light(1+rnd.IntN(20), rnd.IntN(2) == 0)
	case Full:
		m.disk.Fill(true)
		w.pause(duration(rnd, 30*time.Second))
		m.disk.Fill(false)
	case Outage:
		m.disk.TakeAway(true)
		w.pause(duration(rnd, 20*time.Second))
		m.disk.TakeAway(false)
	case Jump:
		m.clock.Set(offset(rnd))
	case Policy:
		return w.decree(rnd, w.client(rnd))
	case Grow:
		return w.grow(ctx, rnd, m)
	case Backup:
		w.durables[0].disk.Keep()
	case SetBack:
		w.durables[0].setBack(ctx, rnd)
	case Move:
		w.client(rnd).move(w.durables[rnd.IntN(len(w.durables))])
	}
	return nil
}

func (w *World) client(rnd *rand.Rand) *Machine { return w.clients[rnd.IntN(len(w.clients))] }

func duration(rnd *rand.Rand, max time.Duration) time.Duration {
	return time.Duration(rnd.Int64N(int64(max)))
}

// offset is how wrong a clock may get: a little mostly, sometimes more than anybody accepts.
func offset(rnd *rand.Rand) time.Duration {
	limit := []time.Duration{time.Second, time.Minute, 4 * time.Minute, 2 * time.Hour}[rnd.IntN(4)]
	return duration(rnd, 2*limit) - limit
}

// partition separates a machine from another or from all others, both ways or one.
func (w *World) partition(rnd *rand.Rand, m *Machine) {
	others := w.machines
	if rnd.IntN(2) == 0 {
		others = []*Machine{w.machines[rnd.IntN(len(w.machines))]}
	}
	way := rnd.IntN(3)
	var routes []route
	for _, other := range others {
		if way != 0 {
			routes = append(routes, route{m, other})
		}
		if way != 1 {
			routes = append(routes, route{other, m})
		}
	}
	end := w.net.Block(routes...)
	w.pause(duration(rnd, 2*time.Minute))
	end()
}

// lookAgain closes what a client shows, and shows something else.
func (w *World) lookAgain(m *Machine) error {
	m.mu.Lock()
	node, life, old := m.node, m.lives, m.screen
	alive := m.alive
	m.mu.Unlock()
	if !alive || old == nil {
		return nil
	}
	old.close()
	return m.look(node, life)
}

// scopes are what principals may be allowed to see.
var scopes = []string{"rank > 30", "tag = 'a' OR tag IS NULL", "rank <= 60", "folder.rank > 20 OR folder IS NULL"}

// decree changes what a client's user may do. Whoever is connected has to connect again, as
// with any agent: rules are those of a connection.
func (w *World) decree(rnd *rand.Rand, m *Machine) error {
	r := w.agent.of(m.user)
	switch rnd.IntN(4) {
	case 0:
		r.banned = !r.banned
	case 1:
		r.readOnly = !r.readOnly
	default:
		r.scope = nil
		if i := rnd.IntN(len(scopes) + 1); i < len(scopes) {
			sel, err := ankql.Parse(scopes[i])
			if err != nil {
				return err
			}
			r.scope = sel
		}
	}
	w.agent.set(m.user, r)
	w.net.Cut(m, false)
	return nil
}

// grow adds a property to a model, on whichever machine.
func (w *World) grow(ctx context.Context, rnd *rand.Rand, m *Machine) error {
	node, _ := m.running()
	if node == nil {
		return nil
	}
	name := "more" + strconv.Itoa(rnd.IntN(8))
	_ = node.Register(ctx, &schema.Model{Collection: Model.Collection, Properties: []schema.Property{{Name: name, Type: schema.TypeInt, Optional: true}}})
	return nil
}
