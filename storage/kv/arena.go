package kv

// arena is where the keys and values of one commit are put together: many small slices
// in few pieces of memory, each twice as large as the one before, so that a small commit
// takes little.
type arena struct {
	free  []byte
	piece int // the size of the last one
}

// The sizes of pieces.
const (
	firstPiece   = 512
	largestPiece = 16 << 10
)

// next returns an empty slice with room for n bytes. What is appended to it is kept by
// taken.
func (a *arena) next(n int) []byte {
	if cap(a.free) < n {
		a.piece = min(max(2*a.piece, firstPiece), largestPiece)
		a.free = make([]byte, 0, max(n, a.piece))
	}
	return a.free[:0:n]
}

// taken says that b, which next has returned, is in use as it is now.
func (a *arena) taken(b []byte) { a.free = a.free[len(b):len(b):cap(a.free)] }
