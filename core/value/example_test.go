package value_test

import (
	"bytes"
	"fmt"

	"github.com/ankurah-go/ankurah/core/value"
)

// Keys compare as the values do, so that an ordered store keeps them in order.
func ExampleAppendKey() {
	one := value.AppendKey(nil, value.Int(1), value.Ascending)
	oneAndAHalf := value.AppendKey(nil, value.Float(1.5), value.Ascending)
	null := value.AppendKey(nil, value.Null, value.Ascending)
	fmt.Println(bytes.Compare(one, oneAndAHalf), bytes.Compare(oneAndAHalf, null))
	// Output: -1 -1
}

func ExampleValue_Path() {
	meta, err := value.JSON(map[string]any{"label": map[string]any{"name": "Mushroom"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(meta.Path("label", "name"), meta.Path("label", "city"), meta.Path("label"))
	// Output: "Mushroom" NULL json({"name":"Mushroom"})
}
