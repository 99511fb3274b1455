package sim

import (
	"time"

	"github.com/ankurah-go/ankurah/core"
)

// Scenario is a kind of run: which machines there are, how much happens, and what goes wrong.
type Scenario struct {
	Name     string
	Explores bool // it still finds defects: it is run where seeds are asked for, and not by every test
	Durables int  // one; or, where it is more, from two up to so many, which replicate from each other
	Shared   bool // or are processes on one store
	Clients  int
	Steps    int
	Pause    time.Duration // between two steps, at most

	Network Faults
	Disk    DiskFaults
	Skew    time.Duration // how wrong each clock is from the beginning, at most
	Medium  func() Medium // of durable nodes; nil for memory
	Limits  core.Limits   // of all nodes

	Weights Weights
}

// Weights are how often each kind of step happens, compared with the others.
type Weights [kinds]int

// Kind is what a step does.
type Kind int

// The kinds of steps. Each is about one machine.
const (
	Transact   Kind = iota // an application commits something
	Fetch                  // or reads
	History                // or looks at the past of something
	Reconsider             // or tries again what was refused, or forgets it
	Look                   // or closes what it shows, and shows something else
	Cut                    // its connections break
	Partition              // it cannot be reached for a while, or in one direction
	Restart                // it is stopped and started
	Crash                  // it dies
	Fuse                   // it dies at one of its next storage operations
	Full                   // its disk is full for a while
	Outage                 // its disk is away for a while
	Jump                   // its clock is set to something else
	Policy                 // what its user may do changes
	Grow                   // the schema grows
	Move                   // it goes to another durable node
	Backup                 // the disk of a durable node is copied
	SetBack                // or replaced by such a copy
	kinds
)

var kindNames = [kinds]string{"transact", "fetch", "history", "reconsider", "look", "cut", "partition", "restart", "crash",
	"fuse", "full", "outage", "jump", "policy", "grow", "move", "backup", "set back"}

// String returns the kind's name.
func (k Kind) String() string { return kindNames[k] }

// work is what applications do.
var work = Weights{Transact: 70, Fetch: 8, History: 2, Reconsider: 3, Look: 3}

// with returns the weights with others in place of some.
func (w Weights) with(others map[Kind]int) Weights {
	for k, n := range others {
		w[k] = n
	}
	return w
}

// Scenarios are the kinds of runs that there are.
var Scenarios = []Scenario{
	{Name: "reliable", Durables: 1, Clients: 3, Steps: 150, Pause: time.Second, Network: Faults{Delay: 50 * time.Millisecond}, Weights: work},
	{Name: "slow", Durables: 1, Clients: 4, Steps: 150, Pause: time.Second, Network: Faults{Delay: 3 * time.Second}, Weights: work},
	{Name: "lossy", Durables: 1, Clients: 4, Steps: 150, Pause: time.Second,
		Network: Faults{Cut: 0.01, Duplicate: 0.03, Delay: 300 * time.Millisecond},
		Weights: work.with(map[Kind]int{Cut: 4, Partition: 4})},
	{Name: "narrow", Durables: 1, Clients: 3, Steps: 150, Pause: 500 * time.Millisecond, Limits: core.Limits{SendQueue: 3},
		Network: Faults{Cut: 0.005, Delay: time.Second, Queue: 1},
		Weights: work.with(map[Kind]int{Partition: 2, Restart: 2})},
	{Name: "crashes", Durables: 1, Clients: 3, Steps: 150, Pause: 2 * time.Second,
		Network: Faults{Cut: 0.002, Delay: 200 * time.Millisecond}, Disk: DiskFaults{Slow: 0.3, Delay: 100 * time.Millisecond},
		Weights: work.with(map[Kind]int{Restart: 2, Crash: 3, Fuse: 8})},
	{Name: "disks", Durables: 1, Clients: 3, Steps: 150, Pause: time.Second,
		Network: Faults{Delay: 100 * time.Millisecond}, Disk: DiskFaults{Fails: 0.02, Slow: 0.2, Delay: time.Second},
		Weights: work.with(map[Kind]int{Full: 3, Outage: 3, Fuse: 1})},
	{Name: "clocks", Durables: 1, Clients: 4, Steps: 150, Pause: 5 * time.Second, Skew: time.Hour,
		Network: Faults{Cut: 0.002, Delay: 200 * time.Millisecond},
		Weights: work.with(map[Kind]int{Cut: 2, Partition: 2, Jump: 6, Restart: 1})},
	{Name: "policies", Durables: 1, Clients: 4, Steps: 150, Pause: 2 * time.Second,
		Network: Faults{Cut: 0.005, Delay: 300 * time.Millisecond},
		Weights: work.with(map[Kind]int{Cut: 2, Partition: 2, Policy: 8, Grow: 4, Reconsider: 8})},
	{Name: "everything", Durables: 1, Clients: 6, Steps: 300, Pause: 2 * time.Second, Skew: time.Minute,
		Network: Faults{Cut: 0.003, Duplicate: 0.01, Delay: time.Second}, Disk: DiskFaults{Fails: 0.003, Slow: 0.1, Delay: 300 * time.Millisecond},
		Weights: work.with(map[Kind]int{Cut: 2, Partition: 3, Restart: 1, Crash: 2, Fuse: 4, Full: 1, Outage: 1, Jump: 2, Policy: 2})},
	{Name: "restore", Explores: true, Durables: 1, Clients: 4, Steps: 200, Pause: 2 * time.Second,
		Network: Faults{Cut: 0.003, Delay: 300 * time.Millisecond},
		Weights: work.with(map[Kind]int{Cut: 2, Partition: 3, Restart: 2, Crash: 1, Backup: 4, SetBack: 3})},
	{Name: "replicas", Durables: 4, Clients: 4, Steps: 200, Pause: 2 * time.Second,
		Network: Faults{Cut: 0.003, Delay: 300 * time.Millisecond},
		Weights: work.with(map[Kind]int{Cut: 4, Partition: 6, Restart: 3, Move: 8})},
	{Name: "cluster", Durables: 3, Shared: true, Clients: 4, Steps: 200, Pause: 2 * time.Second,
		Network: Faults{Cut: 0.002, Delay: 200 * time.Millisecond}, Disk: DiskFaults{Slow: 0.1, Delay: 50 * time.Millisecond},
		Weights: work.with(map[Kind]int{Restart: 2, Crash: 3, Fuse: 4, Move: 8})},
}
