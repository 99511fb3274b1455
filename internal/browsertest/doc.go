// Package browsertest runs programs compiled for GOOS=js GOARCH=wasm inside a real
// headless Chromium.
//
// [Run] serves one program on a loopback address, opens it in a Chromium of its own
// with a fresh profile on disk, streams what it writes, and returns its exit code. The
// command in folder exec makes that usable by the Go tool:
//
//	go build -o .tools/browsertest ./internal/browsertest/exec
//	GOOS=js GOARCH=wasm go test -exec "$PWD/.tools/browsertest" ./storage/indexeddb
//	GOOS=js GOARCH=wasm go test -exec "$PWD/.tools/browsertest -in worker" ./connectors/wsjs
//
// The program runs in the page, in a dedicated worker, or in a SharedWorker. Everything
// is served with the headers of a cross-origin isolated site, so that performance.now
// has its finest step in a page and in a dedicated worker; Chromium isolates no
// SharedWorker.
//
// # Routes for tests
//
// A program finds its own origin in globalThis.location, and there:
//
//	GET /browser/quota?bytes=N   sets the origin's storage quota; without bytes, resets it
//	GET /browser/evict           clears the origin's storage, as a user or the browser may
//	GET /ws/…                    WebSocket endpoints that behave well and badly, see sockets.go
//
// Further routes can be given in [Options].
//
// # Concurrency
//
// Every Run has its own listener, browser process and profile; runs do not meet.
//
// # Errors
//
// A program that ran to its end gives its exit code and no error. An error means that
// there was no such end: no browser, a crashed page, a script error, a cancelled context.
package browsertest
