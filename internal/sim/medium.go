package sim

import (
	"math/rand/v2"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// memoryMedium keeps each batch that was committed, whatever happens to the machine.
type memoryMedium struct{ disk *memory.Disk }

// NewMemory returns a medium for the engine memory.
func NewMemory() Medium { return memoryMedium{memory.NewDisk()} }

func (m memoryMedium) Open() (storage.Engine, error) { return m.disk.Open(), nil }
func (m memoryMedium) Crash(*rand.Rand)              {}
func (m memoryMedium) Copy() Medium                  { return memoryMedium{m.disk.Copy()} }
