package proto

// Limits of single items. A decoder refuses what exceeds them with msgpack.ErrTooLong
// before it allocates. The limits that an operator can set are in
// package core; these bound the formats themselves.
const (
	MaxClock      = 192      // event ids in a clock, hence concurrent heads of an entity
	MaxOperations = 1024     // properties touched by one event
	MaxEventBytes = 1 << 20  // canonical body of one event
	MaxTxEvents   = 10_000   // events in one transaction
	MaxTxBytes    = 8 << 20  // all events of one transaction
	MaxStateBytes = 4 << 20  // all properties of one entity
	MaxFrame      = 16 << 20 // one frame on the wire
	MaxNameBytes  = 128      // collection and property names
	MaxUserBytes  = 256      // the principal named in an event
	MaxText       = 64 << 10 // text of a selection, an error message
	MaxParams     = 10_000   // values bound into one selection
	MaxFrameItems = 65_536   // items of any list in a frame
)
