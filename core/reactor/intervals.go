package reactor

import (
	"bytes"
	"cmp"

	"github.com/ankurah-go/ankurah/storage/plan"
)

// intervals finds the ranges that contain a key, in time that follows how many they are.
//
// It is a treap: a search tree by lower bound, kept balanced by random priorities, in
// which each node knows the greatest upper bound below it, so that whole subtrees that
// end before the key are passed over.
type intervals struct {
	root  *interval
	count int
	seed  uint64
}

// interval is one range of one watch.
type interval struct {
	plan.Range
	watch       *Watch
	priority    uint64
	greatest    []byte // of the upper bounds in this subtree; nil is no bound
	left, right *interval
}

func (t *intervals) insert(r plan.Range, w *Watch) {
	// A step of a Weyl sequence, mixed (Steele et al., "Fast splittable pseudorandom
	// number generators", 2014).
	t.seed += 0x9e3779b97f4a7c15
	p := t.seed
	p = (p ^ p>>30) * 0xbf58476d1ce4e5b9
	p = (p ^ p>>27) * 0x94d049bb133111eb
	t.root = t.insertAt(t.root, &interval{Range: r, watch: w, priority: p ^ p>>31, greatest: r.High})
}

func (t *intervals) insertAt(n, x *interval) *interval {
	if n == nil {
		t.count++
		return x
	}
	switch c := x.compare(n); {
	case c < 0:
		n.left = t.insertAt(n.left, x)
		if n.left.priority > n.priority {
			return n.rotateRight()
		}
	case c > 0:
		n.right = t.insertAt(n.right, x)
		if n.right.priority > n.priority {
			return n.rotateLeft()
		}
	default: // two homes of the watch share this range
		return n
	}
	n.update()
	return n
}

func (t *intervals) remove(r plan.Range, w *Watch) {
	t.root = t.removeAt(t.root, &interval{Range: r, watch: w})
}

func (t *intervals) removeAt(n, x *interval) *interval {
	if n == nil {
		return nil
	}
	switch c := x.compare(n); {
	case c < 0:
		n.left = t.removeAt(n.left, x)
	case c > 0:
		n.right = t.removeAt(n.right, x)
	default:
		t.count--
		return join(n.left, n.right)
	}
	n.update()
	return n
}

// join makes one tree of two, of which all of a sorts before all of b.
func join(a, b *interval) *interval {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = join(a.right, b)
		a.update()
		return a
	}
	b.left = join(a, b.left)
	b.update()
	return b
}

// containing calls found for the watch of each range that contains key.
func (t *intervals) containing(key []byte, found func(*Watch)) { t.root.containing(key, found) }

func (n *interval) containing(key []byte, found func(*Watch)) {
	for n != nil && (n.greatest == nil || bytes.Compare(key, n.greatest) < 0) {
		n.left.containing(key, found)
		if bytes.Compare(n.Low, key) > 0 {
			return // and so do all to the right
		}
		if n.High == nil || bytes.Compare(key, n.High) < 0 {
			found(n.watch)
		}
		n = n.right
	}
}

// compare orders by lower bound, then by whatever tells two intervals apart.
func (n *interval) compare(m *interval) int {
	return cmp.Or(bytes.Compare(n.Low, m.Low), cmp.Compare(n.watch.seq, m.watch.seq), compareHigh(n.High, m.High))
}

// compareHigh compares upper bounds, of which nil is the greatest.
func compareHigh(a, b []byte) int {
	if a == nil || b == nil {
		switch {
		case a != nil:
			return -1
		case b != nil:
			return 1
		}
		return 0
	}
	return bytes.Compare(a, b)
}

func (n *interval) update() {
	n.greatest = n.High
	for _, child := range [...]*interval{n.left, n.right} {
		if child != nil && compareHigh(child.greatest, n.greatest) > 0 {
			n.greatest = child.greatest
		}
	}
}

func (n *interval) rotateRight() *interval {
	top := n.left
	n.left, top.right = top.right, n
	n.update()
	top.update()
	return top
}

func (n *interval) rotateLeft() *interval {
	top := n.right
	n.right, top.left = top.left, n
	n.update()
	top.update()
	return top
}
