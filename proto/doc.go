// Package proto holds Ankurah's formats: events, clocks, entity states, feed entries
// and the frames of the wire protocol. It does no I/O.
//
// Everything is MessagePack in arrays of fixed order. Encoders append to a slice;
// decoders check every length before they slice, copy what they keep, and reject
// trailing bytes. Decoding then encoding gives the same bytes for everything that an
// encoder wrote (golden files pin them), and the limits of limits.go hold for
// everything that a decoder returns.
package proto
