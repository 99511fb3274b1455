package core

import (
	"slices"

	"github.com/ankurah-go/ankurah/internal/sha256"
	"github.com/ankurah-go/ankurah/proto"
)

// upstreams is what an ephemeral node subscribes to at its durable node: one subscription
// for all live queries that need the same rows. It belongs to the loop.
type upstreams struct {
	replica *replica
	byKey   map[string]*upstream
	cursors []cursor // of selections, least recently used first
	dirty   bool     // cursors differ from what is stored
}

func (u *upstreams) init(r *replica) {
	u.replica = r
	u.byKey = make(map[string]*upstream)
}

// load reads the cursors. Selections that were open when the node stopped are in step
// with the position that was stored last.
func (u *upstreams) load(stored []byte, position proto.Position) (err error) {
	u.cursors, err = decodeCursors(stored, u.replica.node.limits.Cursors)
	u.freeze(position)
	return err
}

// freeze notes that what was open is in step up to a position and no further.
func (u *upstreams) freeze(position proto.Position) {
	for i := range u.cursors {
		if len(u.cursors[i].at) == 0 {
			u.cursors[i].at = position
			u.dirty = true
		}
	}
	// Before the first position there is nothing to resume from.
	u.cursors = slices.DeleteFunc(u.cursors, func(c cursor) bool { return len(c.at) == 0 })
}

// forget drops all cursors.
func (u *upstreams) forget() { u.cursors, u.dirty = nil, true }

// hashed returns the cursor key of an upstream.
func (up *upstream) hashed() string {
	sum := sha256.Sum256([]byte(up.key))
	return string(sum[:16])
}

func (u *upstreams) find(key string) int {
	return slices.IndexFunc(u.cursors, func(c cursor) bool { return c.key == key })
}

// open notes that a selection is in step with the connection's position from now on. It
// is stored with the next position.
func (u *upstreams) open(up *upstream) { u.set(up.hashed(), nil) }

// drop forgets how far a selection was in step.
func (u *upstreams) drop(up *upstream) {
	if i := u.find(up.hashed()); i >= 0 && len(u.cursors[i].at) == 0 {
		u.cursors = slices.Delete(u.cursors, i, i+1)
		u.dirty = true
	}
}

// close notes up to where a selection was in step, if it is open.
func (u *upstreams) close(up *upstream) {
	switch i := u.find(up.hashed()); {
	case i < 0 || len(u.cursors[i].at) > 0:
	case len(u.replica.position) > 0:
		u.set(up.hashed(), u.replica.position)
	default: // there is nothing to resume from
		u.cursors = slices.Delete(u.cursors, i, i+1)
		u.dirty = true
	}
}

func (u *upstreams) set(key string, at proto.Position) {
	if i := u.find(key); i >= 0 {
		u.cursors = slices.Delete(u.cursors, i, i+1)
	} else if len(u.cursors) >= u.replica.node.limits.Cursors {
		u.cursors = slices.Delete(u.cursors, 0, 1)
	}
	u.cursors = append(u.cursors, cursor{key, at})
	u.dirty = true
}

// disconnected freezes what was in step.
func (u *upstreams) disconnected() {
	u.freeze(u.replica.position)
	all := values(u.byKey)
	for _, up := range all {
		up.number, up.answered, up.err = 0, false, nil
	}
	for _, up := range all {
		up.tell()
	}
	for _, up := range all {
		u.replica.release(up) // when nobody is live any more
	}
}

// advance notes the position up to which the open selections are in step. While rows are being asked for because an update did not fit, they are not.
func (d *draft) advance(to proto.Position) {
	if d.gap || d.peer.gaps > 0 {
		return
	}
	if len(to) == 0 {
		to = d.position
	} else {
		d.ahead.now = false
	}
	if d.upstreams.dirty || !to.Equal(d.position) {
		d.position = to
		d.savePosition()
	}
}

// savePosition stores the position and the cursors. One that says "open" follows the
// stored position.
func (d *draft) savePosition() {
	d.meta(metaPosition, encodePosition(d.position))
	if d.upstreams.dirty {
		d.upstreams.dirty = false
		d.meta(metaCursors, encodeCursors(d.upstreams.cursors))
	}
}
