package ws

import "github.com/ankurah-go/ankurah/connectors"

// Wait returns when a connection has let go of its socket.
func Wait(c connectors.Conn) { c.(*conn).wait() }

// LookEvery is how often a peer is looked for.
const LookEvery = lookEvery
