// Package lint holds the rules of this repository that a compiler does not know, as
// tests: who may import whom, what the browser's binary must not reach, where
// goroutines may start, and how files and packages are named and documented.
//
// Each rule is a table with its reasons. A test that fails names the rule's reason;
// change the code, or, if the house has to change, the table and docs/architecture.md
// together.
package lint
