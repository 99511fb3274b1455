package kv

// arena is where the keys and values of one commit are put together: many small slices
// in few pieces of memory.
type arena struct{ free []byte }

const arenaPiece = 16 << 10

// next returns an empty slice with room for n bytes. What is appended to it is kept by
// taken.
func (a *arena) next(n int) []byte {
	if cap(a.free) < n {
		a.free = make([]byte, 0, max(n, arenaPiece))
	}
	return a.free[:0:n]
}

// taken says that b, which next has returned, is in use as it is now.
func (a *arena) taken(b []byte) { a.free = a.free[len(b):len(b):cap(a.free)] }
