package ankurah_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/storage/memory"
)

type Track struct {
	Title   string   `ankurah:"title"`
	Album   string   `ankurah:"album"`
	Seconds int      `ankurah:"seconds"`
	Rating  *float64 `ankurah:"rating"`
}

// ByAlbum is what is known of the tracks of each album.
type ByAlbum struct {
	Album  string   `ankurah:"album"`
	Tracks int      `ankurah:"count"`
	Rated  uint8    `ankurah:"count(rating)"`
	Notes  int64    `ankurah:"count(distinct rating)"`
	Length int      `ankurah:"sum(seconds)"`
	Mean   *float64 `ankurah:"avg(rating)"`
	Best   *float64 `ankurah:"max(rating)"`
	First  string   `ankurah:"min(title)"`
}

func tracks(t testing.TB, n *ankurah.Node, list ...*Track) {
	t.Helper()
	tx := n.Context(ankurah.Anonymous).Begin()
	for _, x := range list {
		if _, err := ankurah.Create(tx, x); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func server(t testing.TB) *ankurah.Node {
	t.Helper()
	n, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if err := n.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAggregatesFillStructs(t *testing.T) {
	n := server(t)
	good, better := 4.0, 4.5
	tracks(t, n, &Track{Title: "b", Album: "one", Seconds: 100, Rating: &good}, &Track{Title: "a", Album: "one", Seconds: 23, Rating: &better},
		&Track{Title: "c", Album: "two", Seconds: 7}, &Track{Title: "d", Album: "one", Seconds: 1})
	rows, err := ankurah.Aggregate[Track, ByAlbum](t.Context(), n.Context(ankurah.Anonymous), "seconds > ?", 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || *rows[0].Mean != 4.25 || *rows[0].Best != 4.5 || rows[1].Mean != nil || rows[1].Best != nil {
		t.Fatalf("%+v", rows)
	}
	rows[0].Mean, rows[0].Best = nil, nil
	want := []ByAlbum{{Album: "one", Tracks: 2, Rated: 2, Notes: 2, Length: 123, First: "a"}, {Album: "two", Tracks: 1, Length: 7, First: "c"}}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", rows, want)
	}
	if n, err := ankurah.Count[Track](t.Context(), n.Context(ankurah.Anonymous), ""); n != 4 || err != nil {
		t.Errorf("%d of 4, %v", n, err)
	}
}

func TestLiveCountFollows(t *testing.T) {
	n := server(t)
	client, err := ankurah.New(memory.New(), ankurah.Permissive())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	local.Connect(n, client)
	count, err := ankurah.QueryCount[Track](client.Context(ankurah.Anonymous), "seconds > 10")
	if err != nil {
		t.Fatal(err)
	}
	if err := count.Wait(t.Context(), ankurah.QueryLive); err != nil {
		t.Fatal(err)
	}
	told := make(chan int64, 10)
	stop := count.Subscribe(func(n int64, _ ankurah.QueryStatus) { told <- n })
	if got := <-told; got != 0 {
		t.Errorf("first told of %d", got)
	}
	tracks(t, client, &Track{Seconds: 11}, &Track{Seconds: 9})
	if got, known := count.Value(); got != 1 || !known {
		t.Errorf("right after the commit: %d", got)
	}
	tracks(t, n, &Track{Seconds: 12})
	for got := range told {
		if got == 2 {
			break
		}
	}
	stop()
	stop()
	count.Close()
	if err := count.Wait(t.Context(), ankurah.QueryError+1); !errors.Is(err, core.ErrClosed) {
		t.Errorf("wait for a closed count: %v", err)
	}
}

func TestAggregatesThatCannotBe(t *testing.T) {
	n := server(t)
	c := n.Context(ankurah.Anonymous)
	for what, err := range map[string]error{
		"none of count": second(ankurah.Aggregate[Track, struct {
			N int `ankurah:"median(seconds)"`
		}](t.Context(), c, "")),
		"is not a struct": second(ankurah.Aggregate[Track, int](t.Context(), c, "")),
		"an aggregate":    second(ankurah.Aggregate[Track, struct{}](t.Context(), c, "")),
		"not exported": second(ankurah.Aggregate[Track, struct {
			n int `ankurah:"count"`
		}](t.Context(), c, "")),
		"did you mean seconds": second(ankurah.Aggregate[Track, struct {
			N int `ankurah:"sum(secnds)"`
		}](t.Context(), c, "")),
		"a selection without LIMIT": second(ankurah.Aggregate[Track, ByAlbum](t.Context(), c, "LIMIT 3")),
		"a parameter for every ?":   second(ankurah.Count[Track](t.Context(), c, "seconds > ?")),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q: %v", what, err)
		}
		if k := ankurah.KindOf(err); k != core.KindSelection && !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q is of kind %v", what, k)
		}
	}
	tracks(t, n, &Track{Seconds: 1 << 40})
	if _, err := ankurah.Aggregate[Track, struct {
		N int8 `ankurah:"sum(seconds)"`
	}](t.Context(), c, ""); !errors.Is(err, schema.ErrValue) {
		t.Errorf("a sum that does not fit: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func ExampleCount() {
	ctx := context.Background()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer node.Close()
	check(node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)
	tx := c.Begin()
	for year := range 5 {
		_, err = ankurah.Create(tx, &Album{Name: "Untitled", Artist: "Muse", Year: 1999 + year})
		check(err)
	}
	_, err = tx.Commit(ctx)
	check(err)

	n, err := ankurah.Count[Album](ctx, c, "year > ?", 2000)
	check(err)
	fmt.Println(n)
	// Output: 3
}

func ExampleAggregate() {
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

	type byArtist struct {
		Artist string `ankurah:"artist"`
		Albums int    `ankurah:"count"`
		Last   int    `ankurah:"max(year)"`
	}
	rows, err := ankurah.Aggregate[Album, byArtist](ctx, c, "")
	check(err)
	for _, row := range rows {
		fmt.Println(row.Artist, row.Albums, row.Last)
	}
	// Output:
	// Muse 2 2015
	// Nirvana 1 1991
}

func ExampleQueryAggregate() {
	ctx := context.Background()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer node.Close()
	check(node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)

	type span struct {
		First *int `ankurah:"min(year)"`
		Last  *int `ankurah:"max(year)"`
	}
	years, err := ankurah.QueryAggregate[Album, span](c, "artist = ?", "Muse")
	check(err)
	defer years.Close()
	check(years.Wait(ctx, ankurah.QueryLive))

	tx := c.Begin()
	_, err = ankurah.Create(tx, &Album{Name: "Showbiz", Artist: "Muse", Year: 1999})
	check(err)
	_, err = tx.Commit(ctx)
	check(err)
	rows, err := years.Rows() // a commit shows when it returns
	check(err)
	fmt.Println(*rows[0].First, *rows[0].Last)
	// Output: 1999 1999
}
