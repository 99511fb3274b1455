// Package frame is the protocol between a page and the node in its worker: what one
// postMessage carries.
//
// A frame is a version byte followed by any number of messages, each of them a
// MessagePack array that opens with its kind. The page asks ([Hello], [Subscribe],
// [Create], …), the node answers and tells ([Opened], [Delta], [Status], …); answers name
// the request they belong to. The TypeScript half is js/src/wire.ts. Both are held to the
// same golden files in testdata, so a message that changes on one side only fails the
// tests of both.
//
// Nothing here knows a node: rows are columns and values, errors are codes and words.
// Package bridge gives the messages their meaning.
//
// # Errors
//
// What cannot be read is a *[MessageError], which carries the request to answer where that
// much could be read, around the errors of package msgpack. One bad message does not spoil
// the frame that it came in.
package frame
