package proto

import "sync/atomic"

// names holds the names that were read last. A node reads the same few names, of
// collections, properties and users, again with every event and state; this way it does
// not keep them again each time.
var names nameTable

// nameTable is a lossy set of strings: what was put last in a place is there.
type nameTable [256]atomic.Pointer[string]

// of returns b as a string.
func (t *nameTable) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	place := &t[byte(len(b)<<5)^b[0]*31^b[len(b)-1]*7^b[len(b)/2]]
	if s := place.Load(); s != nil && *s == string(b) {
		return *s
	}
	s := string(b)
	place.Store(&s)
	return s
}
