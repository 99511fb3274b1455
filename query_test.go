package ankurah_test

import (
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// How a selection is read: the engine in memory has no index, and looks at everything.
func ExampleExplain() {
	ctx := context.Background()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer node.Close()
	check(node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)
	tx := c.Begin()
	for _, album := range []*Album{{"Showbiz", "Muse", 1999}, {"Drones", "Muse", 2015}, {"Nevermind", "Nirvana", 1991}} {
		_, err = ankurah.Create(tx, album)
		check(err)
	}
	_, err = tx.Commit(ctx)
	check(err)

	x, err := ankurah.Explain[Album](ctx, c, "artist = ? ORDER BY year DESC LIMIT 10", "Muse")
	check(err)
	fmt.Println(x.Plan, x.Rows, x.Returned)
	// Output: read the collection, keep where artist = 'Muse', sort 3 2
}

func ExampleQueryCount() {
	ctx := context.Background()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer node.Close()
	check(node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)

	old, err := ankurah.QueryCount[Album](c, "year < 2000") // live; ankurah.Count is once
	check(err)
	defer old.Close()
	check(old.Wait(ctx, ankurah.QueryLive))
	tx := c.Begin()
	_, err = ankurah.Create(tx, &Album{Name: "Showbiz", Artist: "Muse", Year: 1999})
	check(err)
	_, err = tx.Commit(ctx)
	check(err)
	fmt.Println(old.Value())
	// Output: 1 true
}
