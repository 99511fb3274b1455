package ankurah_test

import (
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// discography opens a node with an album for each year.
func discography(ctx context.Context, from, to int) *ankurah.Node {
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	check(node.CreateSystem(ctx))
	tx := node.Context(ankurah.Anonymous).Begin()
	for year := from; year <= to; year++ {
		_, err := ankurah.Create(tx, &Album{Name: fmt.Sprintf("Live %d", year), Year: year})
		check(err)
	}
	_, err = tx.Commit(ctx)
	check(err)
	return node
}

func releaseYears(rows []ankurah.View[Album]) (years []int) {
	for _, row := range rows {
		years = append(years, row.Value.Year)
	}
	return years
}

// Pages that go on from each other, whatever happens to the rows in between.
func ExampleFetchPage() {
	ctx := context.Background()
	node := discography(ctx, 1999, 2005)
	defer node.Close()
	c := node.Context(ankurah.Anonymous)

	page, err := ankurah.FetchPage[Album](ctx, c, ankurah.PageAt{}, "ORDER BY year LIMIT 3")
	check(err)
	for {
		fmt.Println(releaseYears(page.Rows))
		if page.Next.IsZero() {
			break
		}
		text := page.Next.String() // into a URL, and back
		next, err := ankurah.ParseCursor(text)
		check(err)
		page, err = ankurah.FetchPage[Album](ctx, c, ankurah.PageAt{After: next}, "ORDER BY year LIMIT 3")
		check(err)
	}
	// Output:
	// [1999 2000 2001]
	// [2002 2003 2004]
	// [2005]
}

// A window stays around its anchor while rows come and go, and moves where the user looks.
func ExampleQueryWindow() {
	ctx := context.Background()
	node := discography(ctx, 1990, 2010)
	defer node.Close()
	c := node.Context(ankurah.Anonymous)

	q, err := ankurah.QueryWindow[Album](c, ankurah.Window{Anchor: ankurah.AtEnd, Before: 3}, "ORDER BY year")
	check(err)
	defer q.Close()
	check(q.Wait(ctx, ankurah.QueryLive))
	show := func() {
		rows, err := q.Rows()
		check(err)
		fmt.Println(releaseYears(rows), q.State().HasBefore, q.State().HasAfter)
	}
	show()
	tx := c.Begin()
	_, err = ankurah.Create(tx, &Album{Name: "New", Year: 2011})
	check(err)
	_, err = tx.Commit(ctx)
	check(err)
	show()
	check(q.Move(ctx, ankurah.Window{Anchor: ankurah.AtCursor(q.State().First), Before: 2, After: 2}))
	show()
	// Output:
	// [2008 2009 2010] true false
	// [2009 2010 2011] true false
	// [2007 2008 2009 2010] true true
}
