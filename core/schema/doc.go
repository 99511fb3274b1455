// Package schema describes models: the collections, their properties, and which
// values a property takes.
//
// A [Model] is data, whether it came from a Go struct, from TypeScript or from the
// catalog of a durable node; two sides meet by collection and property name. [Merge]
// says how a known model grows by another description of it.
//
// # Errors
//
// [ErrInvalid] for a description that no model may have, [ErrValue] for a value that
// a property does not take, [ErrConflict] for two descriptions that cannot be one
// model; all are wrapped with the names involved.
package schema
