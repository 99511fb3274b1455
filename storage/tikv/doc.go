// Package tikv is the storage engine over a TiKV cluster: package kv's engine, whose keys lie
// under one prefix of the cluster, and which any number of processes may open at the same time
// (storage.Shared).
//
// # Layout
//
// A key is the name of the prefix, a slash, a byte that says what the row is, and:
//
//	v                the version of this layout, one byte
//	d  key           a row of package kv
//	g  number        a guard, of which there are 64; never written, only locked
//	l  feed/ULID     the lease on a feed: owner, end in milliseconds, guard of its owner
//	l  lock/name     the lease on a lock
//	l  gate          the lease on going first
//	l  feeds         who has last taken a feed
//
// A value begins with the byte 1, since TiKV has no empty values. A key of package kv of more
// than 3,000 bytes, as entries of indexes over long texts have, is cut there and goes on with
// its SHA-256; its value begins with the byte 2, and the length of the whole key and the key
// follow. Rows that begin alike up to there are put in order when they are read.
//
// # Commits
//
// Commits that come together share one optimistic transaction of the cluster, and those that
// come while it is under way go into the next. A transaction begins with one read, of all rows
// that its commits check; a commit whose checks fail is refused, and the others go on. The
// cluster then refuses the transaction if another has since written or locked what it writes
// or locks, and it begins again. What a commit checks and does not write is locked, so that
// nothing can be decided on what is no longer so:
//
//	T1  A row that is checked by nearly every commit and written by few (kv.IsCommon) is not
//	    locked itself, or all processes would wait for each other. Who checks it locks the
//	    guard of its process; who writes it locks all guards.
//	T2  A process that has joined reads the lease on its feed in each commit, and locks its
//	    guard. Who takes the feed locks the guard too: so of a commit and the taking of its
//	    feed one comes first, and the commit that comes second is refused.
//	T3  A group of commits that was overtaken again and again closes the gate. A commit that
//	    finds it closed by another process waits until that one is done, two seconds at most.
//
// A transaction whose keys lie in one region takes a single request to the cluster, others
// take two rounds.
//
// # Leases
//
// All times are those of the cluster's timestamps: no process's clock matters. A lease that
// nobody renews ends after Options.Lease. A feed's lease that has ended is still its owner's
// until another takes it.
//
// # Concurrency
//
// Everything may be called from many goroutines of many processes. A read is of one timestamp
// as a whole, however many regions it touches. Large scans go in pages of up to 1,024 rows. While
// somebody else's transaction is in the way of a read, the read helps it to its end, or waits
// for its locks to expire, about three seconds, if its process has died.
//
// The cluster forgets old versions after a while (ten minutes by default in clusters that
// collect them), and a view that lives longer fails.
//
// # Errors
//
// Those of package storage, and kv.ErrNewer. Regions that split or move, stores that restart or
// are busy are met with retries within Options.Timeout; then it is storage.ErrUnavailable, after
// which the outcome of a commit is unknown, as in the few cases in which the answer to the
// deciding request is lost. storage.ErrFenced says that another process may have the feed.
package tikv
