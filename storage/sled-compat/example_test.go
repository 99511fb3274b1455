package sledcompat_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
)

func Example() {
	dir, err := os.MkdirTemp("", "sledcompat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sledcompat.OpenDB(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	stock, err := db.Tree("stock")
	if err != nil {
		log.Fatal(err)
	}

	// A batch is applied whole, and is on disk when Apply returns.
	var b sledcompat.Batch
	b.Insert([]byte("apples"), []byte("3"))
	b.Insert([]byte("pears"), []byte("5"))
	if err := stock.Apply(&b); err != nil {
		log.Fatal(err)
	}

	// A change can depend on what is stored.
	if err := stock.CompareAndSwap([]byte("apples"), []byte("4"), []byte("5")); errors.Is(err, storage.ErrConflict) {
		fmt.Println("there are not 4 apples")
	}

	err = stock.Range(kv.Range{}, func(key, value []byte) bool {
		fmt.Printf("%s %s\n", value, key)
		return true
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// there are not 4 apples
	// 3 apples
	// 5 pears
}
