// Command wasm is the node as a browser runs it: the program that the npm package
// @ankurah-go/client loads into a worker.
//
// It finds its host under the global name that is its first argument, an object with
//
//	start(receive(port, bytes), disconnect(port), stop())   called once, when it is ready
//	message(port, bytes)                                    called with each frame for a page
//
// and speaks package frame with the pages behind the ports, each of which has a session of
// package bridge. The first page's hello says which database to open and which server to
// stay connected to; models reach it as data, so the program is the same for every
// application.
//
// JavaScript callbacks only copy and signal (law L1); everything else happens on goroutines
// of the bridge.
package main
