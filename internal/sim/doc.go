// Package sim runs whole systems, durable and ephemeral nodes over faulty connections,
// crashing storage and clocks that are wrong, in simulated time, and holds the guarantees
// of the design against whatever anybody in them could see.
//
// A run is a [Scenario] with a seed: from these follow the machines ([Machine]: a node, its
// disk, its clock), the network between them, and a schedule of steps, which are what
// applications do and what goes wrong. Each step has randomness of its own, so that a
// schedule can be shortened and the rest of it still does what it did. Every frame and every
// storage operation takes its own moment of simulated time, so that what follows from one of
// them has come to rest before the next.
//
// # Invariants
//
// While it runs, of everything that a callback or a fetch shows (observation.go):
//
//   - I1 atomic visibility: rows shown together, by one result or by several, show each
//     transaction on all of them or on none. On a client that goes for results that are live
//     and for rows that it has not changed itself just now, and for its own transactions on all rows;
//     of several results together where its storage has not failed.
//   - I2 read your writes: a row shows every transaction that was committed on its node,
//     unless it was refused.
//   - I3 monotonic reads: a row never shows less of what was not refused than it has shown on
//     this node before; where an ephemeral node's storage fails, or the node dies, it may take
//     back what it had not stored.
//   - I4 change sets: they lead from each result to the next, and a window is never over its
//     limit.
//
// When everything has been healed and nothing moves any more (invariants.go):
//
//   - I5 settlement: every client is connected, nothing is pending, every live result is live.
//   - I6 durability: what was acknowledged, and what was committed and not refused, is in the
//     store of every durable node.
//   - I7 whole and once: each transaction is there on all of its entities or on none, with one
//     event on each, also where it was sent several times or its outcome was unknown.
//   - I8 refusals: of what was refused nothing is stored or shown; its author was told once, and
//     finds it once among the rejections.
//   - I9 convergence: all durable nodes hold the same events, heads and values, and these are
//     what the events say by a merge that is obviously right.
//   - I10 live results: rows, windows and aggregates of every client, by their change sets as
//     well, are what a durable node answers its principal now.
//   - I11 bounded memory: when its queries are closed, no node watches or serves anything that
//     nobody looks at; goroutines that a closed node leaves behind end the run.
//
// # Several durable nodes
//
// In the scenario replicas two to four durable nodes with stores of their own replicate from
// each other, as a line, a ring, a star or everyone with everyone. All invariants hold on every
// durable node, and on the clients that stay with theirs. On a client that goes from one to
// another I1 holds for its own transactions only: what it has seen of others stays in sight, beside
// what its new node answers, which may not have it yet. I2, I3 and I4 hold for it, and when all
// is healed everything: I5 means that the durable nodes are connected as well, I6 that each of
// them has what any has acknowledged, and I9 that they hold the same to the last byte.
//
// In the scenario cluster they are two or three processes on one store, of which the store takes
// those that die for dead; clients go from one to another with their positions. All invariants hold.
//
// # A store that is set back
//
// In the scenario restore the durable node's disk is replaced, again and again, by a copy of
// earlier. What it has acknowledged since then and has nowhere else is lost: I1, I2, I3 and I6 ask
// for none of that any more. Everything else holds: clients keep what the copy has and what they
// have pending, and come to show what the durable node has (I10); what depends on something that
// was lost is refused, and told of (I8), also where it was acknowledged before. It is run where
// seeds are asked for (-sim.seeds), and not by every test.
//
// # Torn tails
//
// Elsewhere a disk keeps whatever was committed. In the scenario pebble the durable node has the
// engine sled-compat, on a file system in memory that keeps of a crash what was synced, and of
// the rest, the last of the log and files that are new, as much as the seed says. Pebble's
// goroutines take turns as they like, so that a failure may need some tries.
//
// Transactions are told apart by a mark, a number that each of their events writes; the
// [ledger] knows from the events that pass the disks which marks an entity's head includes.
package sim
