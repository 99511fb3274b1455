package archive

import (
	"errors"
	"fmt"
)

// What can be wrong with an archive, or with where it is to go.
var (
	// ErrNotArchive: it does not begin as an archive does.
	ErrNotArchive = errors.New("this is not an archive of Ankurah")
	// ErrNewer: a newer program has written it.
	ErrNewer = errors.New("the archive was written by a newer version of Ankurah")
	// ErrTruncated: it ends too early. What was read of it is good.
	ErrTruncated = errors.New("the archive is cut off")
	// ErrDamaged: it is not what was written.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrComplete: there is nothing to go on with.
	ErrComplete = errors.New("the archive is complete")
	// ErrOccupied: the store holds something already.
	ErrOccupied = errors.New("the store is not empty")
	// ErrOther: the store holds a part of another archive.
	ErrOther = errors.New("the store holds a part of another archive")
	// ErrUnsuited: the store cannot be dumped.
	ErrUnsuited = errors.New("the store cannot be dumped")
)

// DamageError says where an archive cannot be read.
type DamageError struct {
	Offset int64 // of the first byte of the chunk that cannot be read
	Err    error // ErrTruncated or ErrDamaged, with what was found
}

// Error implements error.
func (e *DamageError) Error() string { return fmt.Sprintf("at byte %d: %v", e.Offset, e.Err) }

// Unwrap returns the reason.
func (e *DamageError) Unwrap() error { return e.Err }

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}
