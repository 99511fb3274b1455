package ankurah_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/storage/memory"
)

type Album struct {
	Name   string `ankurah:"name,text"`
	Artist string `ankurah:"artist"`
	Year   int    `ankurah:"year"`
}

// A durable and an ephemeral node in one process: a live query on one, a commit on the
// other.
func Example() {
	ctx := context.Background()
	server, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer server.Close()
	check(server.CreateSystem(ctx))

	client, err := ankurah.New(memory.New(), ankurah.Permissive())
	check(err)
	defer client.Close()
	local.Connect(server, client)
	check(client.WaitReady(ctx))

	c := client.Context(ankurah.Anonymous)
	albums, err := ankurah.Query[Album](c, "name = ?", "Origin of Symmetry")
	check(err)
	check(albums.Wait(ctx, ankurah.QueryLive))
	seen := make(chan struct{})
	stop := albums.Subscribe(func(changes ankurah.Changes[Album]) {
		fmt.Println("received", changes)
		if len(changes.Changes) > 0 {
			close(seen)
		}
	})
	defer stop()

	tx := server.Context(ankurah.Anonymous).Begin()
	_, err = ankurah.Create(tx, &Album{Name: "Origin of Symmetry", Artist: "Muse", Year: 2001})
	check(err)
	_, err = tx.Commit(ctx)
	check(err)
	<-seen

	// Output:
	// received live
	// received live, added {Name:Origin of Symmetry Artist:Muse Year:2001}
}

type Band struct {
	Name    string `ankurah:"name"`
	Country string `ankurah:"country"`
}

type Record struct {
	Name string            `ankurah:"name"`
	Band ankurah.Ref[Band] `ankurah:"band"`
}

// A selection follows references: by what they lead to rows are chosen, put in order, and
// kept true.
func ExampleRef() {
	ctx := context.Background()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer node.Close()
	check(node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)

	tx := c.Begin()
	muse, err := ankurah.Create(tx, &Band{Name: "Muse", Country: "GB"})
	check(err)
	air, err := ankurah.Create(tx, &Band{Name: "Air", Country: "FR"})
	check(err)
	for _, r := range []*Record{{"Showbiz", muse}, {"Moon Safari", air}, {"Drones", muse}} {
		_, err = ankurah.Create(tx, r)
		check(err)
	}
	_, err = tx.Commit(ctx)
	check(err)

	records, err := ankurah.Fetch[Record](ctx, c, "ORDER BY band.country, name")
	check(err)
	for _, r := range records {
		fmt.Println(r.Value.Name)
	}

	british, err := ankurah.Query[Record](c, "band.country = ?", "GB")
	check(err)
	check(british.Wait(ctx, ankurah.QueryLive))
	show := func() {
		rows, err := british.Rows()
		check(err)
		fmt.Println(len(rows), "from Britain")
	}
	show()
	tx = c.Begin()
	check(ankurah.Update(ctx, tx, air.EntityID, func(b *Band) error {
		b.Country = "GB"
		return nil
	}))
	_, err = tx.Commit(ctx)
	check(err)
	show()

	// Output:
	// Moon Safari
	// Drones
	// Showbiz
	// 2 from Britain
	// 3 from Britain
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
