// Package pgtest runs a real PostgreSQL server for tests.
//
// [Database] returns the URL of a new, empty database on a server that all tests of the
// binary share; it starts with the first of them, and [Main] stops it. [New] starts a
// server of a test's own, which can be killed and started again. A server listens on a
// Unix socket in a directory of its own, and nowhere else.
//
// The programs are looked for in PATH and in Debian's place for them; scripts/postgres
// installs Debian's package. PostgreSQL refuses to run as root, so a test that runs as
// root runs it as the user postgres, or else nobody.
//
// A server dies with the test binary however that ends, and what a killed binary left on
// disk is removed by the next one.
//
// # Concurrency
//
// All functions may be called from several goroutines.
//
// # Errors
//
// A test that needs a server fails where there is none, with what is missing. It is never
// skipped.
package pgtest
