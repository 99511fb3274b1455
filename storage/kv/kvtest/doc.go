// Package kvtest holds the cases that every kv.Store passes, and a Store in memory to
// test with what is above one.
package kvtest
