package kvtest_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
)

func TestDiskIsAStore(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kvtest.Place {
		disk := kvtest.NewDisk()
		return kvtest.PlaceFunc(func(testing.TB) kv.Store { return disk.Open() })
	})
}

// A store without views is one, too.
func TestPlainStoreConforms(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kvtest.Place {
		disk := kvtest.NewDisk()
		return kvtest.PlaceFunc(func(testing.TB) kv.Store { return kvtest.Plain(disk.Open()) })
	}, kvtest.Views)
}
