// Package archive moves everything that a durable node's store holds: events, states,
// models, and the change feed. An archive is a file or a stream that no engine's layout
// shows in, so it goes between any two engines, and is what a backup is made of.
//
// [Dump] writes one from an engine, [Restore] brings one into an empty engine. Both take
// memory that does not grow with the store, and both can be interrupted and go on where
// they were.
//
// # What is in it
//
// Entities come first, in ascending order of their ids: of each its record, then its events
// in ascending order of ids. Then come the entries of the change feed, up to where it ended
// when the dump began, and then what was committed since: each entry after the events and
// with the records that it names. A record may be in the archive several times: the one with
// the greatest revision counts. So a store can be dumped while it is in use; when the
// archive is complete, it is the store as of one moment near its end.
//
// What several processes have written to one store is merged into one feed, such that an
// entry comes after those that it builds on, as far as a window of [mergeWindow] entries of
// each feed shows that.
//
// The store's own name and the node's are not in it as something to be taken over: a
// restored store is a new store, with a feed of its own and the same system, and who was in
// step with the old one compares what it holds with the new one's. The indexes of models
// come back with the models; those made for selections are made again.
//
// # Format
//
// Numbers of fixed size are big endian. Everything within a payload is MessagePack, in the
// forms of package proto.
//
//	archive = magic version chunk…
//	magic   = the 7 bytes "ANKARCH"
//	version = one byte, 1
//	chunk   = kind coding size plain crc payload
//	kind    = one byte: 'H' header, 'D' data, 'M' mark, 'E' end
//	coding  = one byte: 0 as it is, 1 Zstandard (RFC 8878)
//	size    = 4 bytes, of the payload as it is stored
//	plain   = 4 bytes, of the payload before coding
//	crc     = 4 bytes: CRC-32C (Castagnoli) of kind, coding, size, plain and payload
//
//	header  = [archive, created, store, system, [[feed, seq]…], [[key, value]…], cursor]
//	data    = cursor item…
//	mark    = created
//	end     = [records, events, entries, digest]
//
//	item    = [1, record] | [2, event] | [3, feed, feed entry]
//	cursor  = [entity, event, walked, [[feed, seq]…]]
//
// The header is the first chunk, and there is one. It names the archive, which stays the
// same however often a dump was interrupted; the feeds of the store with where they ended
// when the dump began; and metadata to be taken over. Its cursor says behind what the
// archive begins: of a whole one it is zero.
//
// The cursor of a data chunk says how far one is with it: the last entity and event, whether
// all entities are there, and the last entry of each feed. Whoever has stored a chunk with
// its cursor can go on behind it.
//
// A mark says that the archive had everything at that time (microseconds since 1970); it is
// in streams that follow a store. The end has the numbers of items and the SHA-256 of all
// bytes before it, and nothing follows it. An archive without an end is not complete.
//
// A reader refuses a version that it does not know, kinds and codings that it does not
// know, and items that exceed the limits of package proto.
//
// # Concurrency
//
// A [Writer] and a [Reader] belong to one goroutine. Dump and Restore block until they are
// done, or their context ends; the engine may be in use by others while it is dumped, and by
// nobody while it is restored into.
//
// # Errors
//
// Those of the engine; those of the file; [ErrNotArchive], [ErrNewer]; and a *[DamageError]
// that says at which byte an archive is cut off ([ErrTruncated]) or not what was written
// ([ErrDamaged]). Restore also has [ErrOccupied] and [ErrOther].
package archive
