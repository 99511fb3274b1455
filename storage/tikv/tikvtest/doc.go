// Package tikvtest runs a TiKV cluster for tests: one PD and any number of stores that speak
// the gRPC protocols of PD and TiKV on loopback, so that a client connects to them, from this
// process or another one, as to a production cluster.
//
// What is stored lives in memory, in the multi-version store that client-go brings for its
// own tests; it has the cluster's transactions: snapshots, two-phase commit with locks that
// others resolve, one-phase commit, write conflicts, regions with epochs. It does not
// replicate, and its pessimistic transactions are not those of TiKV.
//
// [URL] names a place in a cluster for the tests of a binary that need none of their own; where
// the environment names a production cluster in ANKURAH_TIKV_PD, the tests that use it run there.
// [New] starts a cluster of a test's own, to which things can happen: regions split and
// change their leader, stores and PD go away and come back with their data, and [Cluster.Inject]
// decides what becomes of each request.
//
// # Concurrency
//
// All functions and methods may be called from many goroutines.
//
// # Errors
//
// A test that needs a cluster fails where none can be started. It is never skipped.
package tikvtest
