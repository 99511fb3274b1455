// Package admin is how people who look after a server talk to it while it runs: they
// inspect it, take what it holds out of it, and have its clients go elsewhere.
//
// [Handler] answers over HTTP, and [Listen] makes what it is served on: a Unix socket that
// only the user who runs the server may open. That is the whole of its security, on purpose.
// Whoever may open it could read the server's memory and its data directory anyway; there is
// no secret to be leaked or guessed, no page in a browser can reach it, as it could a port of
// the loopback address, and no proxy on the same machine passes strangers on to it. From
// elsewhere it is reached over ssh. It is off unless a socket is configured.
//
// [Client] is the other side.
//
// # Concurrency
//
// Everything may be used from several goroutines. Any number of requests are served at a time;
// each costs a page of memory, and what it reads.
//
// # Errors
//
// [ErrInUse] from Listen; a *[Refused] of what the server answered; those of archives (package
// archive), where one is cut off because the server ended.
package admin
