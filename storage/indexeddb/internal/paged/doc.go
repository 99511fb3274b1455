// Package paged keeps an ordered map in packed pages and a log, over a [Disk] that is
// good at few large records and bad at many small ones. It has no platform of its own,
// so that it is tested, and crashed, on every one.
//
// # Layout
//
// The disk's keys begin with a byte that names their space:
//
//	m            version of this layout, one byte, then the token of who may write
//	l  seq       a record of the log; seq is 8 bytes big endian
//	p  low       a page: the entries with low <= key < the low of the next page
//	d            the directory: the lows of all pages; absent while a merge is going on
//
// A page and a log record are lists of entries: length of the key, key, length of the
// value plus one, value; zero in place of the latter marks a deletion, which only the
// log has. Lengths are unsigned varints. A page's entries are in strictly ascending
// order of key.
//
// # How it works
//
// A commit is appended to the log, where small ones are folded into one record now and
// then, and joins the overlay: a few sorted runs in memory, newer over older. When the
// log has grown, its part of the overlay is frozen and merged into the pages in
// steps of bounded size, each of which is one transaction; the last one removes the
// merged part of the log. Pages are read when they are needed, and some are kept.
//
//	P1  The first page has the empty low, so every key has its page as soon as there
//	    is one.
//	P2  The log, applied in order of seq over the pages, is the content. That holds
//	    after every step of a merge, because merged entries stay in the log, and
//	    applying them again changes nothing.
//	P3  The directory record, where there is one, lists the pages that there are. Without
//	    it they are found by their keys, for which a disk may have to read them all.
//	P4  Every transaction checks the token, which each opening replaces. So a second
//	    writer stops the first instead of corrupting what it does.
//	P5  What a call reads is the overlay of one moment over pages that are not merged
//	    into meanwhile: a call that has to read pages and a step of a merge exclude each
//	    other.
//
// # Concurrency
//
// A Store may be used from many goroutines. Commits are carried out one after the
// other; reads do not wait for them, and for a step of a merge only if they need a page
// that is not in memory. One goroutine of its own merges, from Open to Close.
//
// # Errors
//
// Those of package storage, and ErrSuperseded, after which every call fails with it.
package paged
