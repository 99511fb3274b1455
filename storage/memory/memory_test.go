package memory_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func TestEngine(t *testing.T) {
	storagetest.Run(t, func(testing.TB) storage.Engine { return memory.New() }, storagetest.Indexes, storagetest.Sizes)
}

func TestDiskOutlivesItsEngines(t *testing.T) {
	storagetest.RunDurable(t, func(testing.TB) func(testing.TB) storage.Engine {
		disk := memory.NewDisk()
		return func(testing.TB) storage.Engine { return disk.Open() }
	})
}

func TestProcessesShareADisk(t *testing.T) {
	storagetest.RunShared(t, func(testing.TB) func(testing.TB) storage.Engine {
		disk := memory.NewDisk()
		return func(testing.TB) storage.Engine { return disk.Share() }
	})
}
