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

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
