// Package sim runs whole systems, durable and ephemeral nodes over faulty connections and
// crashing storage, in simulated time, and checks the guarantees of the design: what
// nodes hold converges, nothing acknowledged is lost, what is refused disappears, and
// every live result equals its selection.
//
// A run is a [Plan] with a seed. Faults and edits are drawn from the seed; a failure
// prints the line that runs the plan again. Time is that of testing/synctest: a run of
// hours takes moments.
package sim
