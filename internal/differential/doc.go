// Package differential holds AnkQL against PostgreSQL: the same random models, rows and
// selections, in the language's own evaluation, in every storage engine, and in SQL that is
// written here by hand and naively over typed columns. Rows and their order agree.
//
// There is no code here but tests. What is random comes from package ankqltest, whose
// package comment says how to replay a failure and how to run longer. The few differences
// that are meant are listed in docs/query.md, and bridged in plain_test.go.
package differential
