// Package sha256 is the hash that names events.
//
// Natively it is the standard library's, which uses what the processor has. Compiled to
// WebAssembly that one is slow, and brings with it much that is never run; there this
// package has its own.
package sha256

// Size is the length of a digest in bytes.
const Size = 32
