package schema_test

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

func ExampleProperty_Coerce() {
	year := schema.Property{Name: "year", Type: schema.TypeInt}
	fmt.Println(year.Coerce(value.String("2001")))
	fmt.Println(year.Coerce(value.Float(2001.5)))
	// Output:
	// 2001 <nil>
	// NULL schema: invalid value: year takes int, and 2001.5 is not one
}

func ExampleMerge() {
	known := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "name", Type: schema.TypeString}}}
	grown := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "year", Type: schema.TypeInt}}}
	merged, changed, err := schema.Merge(known, grown)
	fmt.Println(len(merged.Properties), changed, err)

	clash := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "name", Type: schema.TypeInt}}}
	_, _, err = schema.Merge(known, clash)
	fmt.Println(err)
	// Output:
	// 2 true <nil>
	// album: schema: models conflict: name has type string and cannot become int
}
