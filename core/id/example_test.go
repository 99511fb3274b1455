package id_test

import (
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
)

// An event is stamped later than its parents, even where those come from a node whose
// clock runs ahead.
func ExampleHLC_Next() {
	var clock id.HLC
	parent := id.StampAt(time.Now().Add(time.Minute))
	fmt.Println(clock.Next(parent) > parent)
	// Output: true
}

func ExampleParse() {
	u, err := id.Parse("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	fmt.Println(u.Stamp().Time().UTC(), err)
	_, err = id.Parse("not an id")
	fmt.Println(err)
	// Output:
	// 2016-07-30 23:54:10.259 +0000 UTC <nil>
	// id: not a ULID: "not an id"
}
