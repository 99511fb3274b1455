// Package webapp serves the files of a built web app as a server for the open Internet
// should: compressed, cacheable, and nothing but those files.
//
// A path that names no file is answered with index.html if a page was asked for, so
// that an app may have routes of its own. Compressed copies beside a file (x.js.br,
// x.js.gz) are sent to those who take them; without copies, text and WebAssembly are
// compressed once and kept in memory. Names that carry a hash of their content are
// cached for ever, everything else is asked for again by its ETag.
//
// # Concurrency
//
// A [Handler] serves many requests at once. Files may be replaced while it runs.
//
// # Errors
//
// [New] says what is wrong with a directory; requests are answered by status codes.
package webapp
