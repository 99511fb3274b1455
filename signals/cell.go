package signals

// Readable is a value that can be read and tracked.
type Readable[T any] interface {
	// Get returns the present value.
	Get() T
	// Track returns the present value, and makes the function that t belongs to depend
	// on it.
	Track(t *Tracker) T
}

// Cell holds a value. The zero Cell holds the zero value. Who holds a Cell may write; to
// show it without that, pass it as a Readable.
type Cell[T any] struct {
	place point
	value T
}

var _ Readable[int] = (*Cell[int])(nil)

// NewCell returns a cell that holds value.
func NewCell[T any](value T) *Cell[T] { return &Cell[T]{value: value} }

// Get implements Readable.
func (c *Cell[T]) Get() T {
	graph.Lock()
	defer graph.Unlock()
	return c.value
}

// Track implements Readable.
func (c *Cell[T]) Track(t *Tracker) T {
	graph.Lock()
	defer graph.Unlock()
	t.note(c, c.place.version)
	return c.value
}

// Set replaces the value and tells who depends on it, even if it is the same value.
func (c *Cell[T]) Set(value T) {
	c.Update(func(T) T { return value })
}

// Update replaces the value by what f makes of it, in one step. f must not use cells.
func (c *Cell[T]) Update(f func(T) T) {
	c.write(f)
	flush()
}

func (c *Cell[T]) write(f func(T) T) {
	graph.Lock()
	defer graph.Unlock()
	c.value = f(c.value)
	c.place.version++
	graph.version++
	c.place.invalidateTargetsLocked()
}

func (c *Cell[T]) refresh(*Tracker) {}

func (c *Cell[T]) point() *point { return &c.place }

// Map returns r seen through f, which is called for each reading and keeps nothing; for
// what is costly use NewDerived.
func Map[T, U any](r Readable[T], f func(T) U) Readable[U] { return mapped[T, U]{r, f} }

type mapped[T, U any] struct {
	from Readable[T]
	f    func(T) U
}

func (m mapped[T, U]) Get() U             { return m.f(m.from.Get()) }
func (m mapped[T, U]) Track(t *Tracker) U { return m.f(m.from.Track(t)) }
