// Command wasmstrip makes a Go WebAssembly binary smaller to download, by removing what
// only tracebacks read.
//
//	go run ./internal/wasmstrip in.wasm out.wasm
//
// The linker's -s -w leave the runtime's function table whole: names, files, line numbers
// and inlining trees of every function, a sixth of the compressed binary. The runtime
// needs of it the stack maps, the frame sizes and the names that begin with "runtime.",
// by which it knows its own goroutines; everything else is zeroed here, and the tables'
// offsets with it, which the runtime takes for "not known": a traceback then shows "?"
// for the file and nothing for the name. Panics, recover, garbage collection and
// goroutines work as before; the test runs a program that does all of it.
//
// It also joins the data segments, of which the linker makes one for every run of bytes
// between zeros: tens of thousands of them cost more than the zeros would once compressed.
//
// A binary whose tables it does not know is refused, so that a new Go release shows here
// and nowhere else.
//
// Sources: runtime/symtab.go and runtime/runtime2.go of Go 1.26 for the tables, and the
// WebAssembly core specification, section 5, for the binary format.
package main
