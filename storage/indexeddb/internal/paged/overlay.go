package paged

// overlay is what was committed and is not in the pages yet: blocks, newer over older.
// It is not changed after it was made.
type overlay []*block // oldest first

const (
	// A block is merged with the one before it until that has at least overlayRatio
	// times its size. So there are few blocks, and an entry is copied a few times only.
	overlayRatio = 4
	// maxOverlayBlock bounds the work of one such merge.
	maxOverlayBlock = 256 << 10
)

// with returns the overlay with one more block on top.
func (o overlay) with(b *block) overlay {
	n := len(o)
	for n > 0 && o[n-1].size() < overlayRatio*b.size() && o[n-1].size()+b.size() <= maxOverlayBlock {
		n--
		b = merged(o[n], b)
	}
	next := make(overlay, n, n+1)
	copy(next, o)
	return append(next, b)
}

// find looks for key; value is nil for a deletion.
func (o overlay) find(key []byte, near []int) (value []byte, found bool) {
	for i := len(o) - 1; i >= 0; i-- {
		value, found, at := o[i].find(key, near[i])
		near[i] = at
		if found {
			return value, true
		}
	}
	return nil, false
}
