package signals

// Tracker remembers what one run of a function reads. It is valid until the function
// returns.
type Tracker struct {
	owner  any // the derived value or the observer whose function runs
	parent *Tracker
	links  []link
	noted  map[source]struct{} // the sources of links
}

// note adds a source. The first reading counts: if the source changes between two
// readings, the function has to run again.
func (t *Tracker) note(s source, version uint64) {
	if t.noted == nil {
		t.noted = map[source]struct{}{}
	}
	if _, ok := t.noted[s]; !ok {
		t.noted[s] = struct{}{}
		t.links = append(t.links, link{s, version})
	}
}

// within reports whether owner's function is running, here or further out.
func (t *Tracker) within(owner any) bool {
	for ; t != nil; t = t.parent {
		if t.owner == owner {
			return true
		}
	}
	return false
}
