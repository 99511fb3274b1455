// Command server is the shortest whole program: a durable and an ephemeral node in one
// process, a live query on one, a commit on the other.
//
//	go run ./examples/server
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/storage/memory"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
)

func main() {
	dir, err := os.MkdirTemp("", "ankurah-example-*")
	if err == nil {
		err = run(context.Background(), dir, os.Stdout)
		os.RemoveAll(dir)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, out io.Writer) error {
	// The server keeps its data in a directory, and makes a system the first time.
	store, err := sledcompat.Open(dir)
	if err != nil {
		return err
	}
	server, err := ankurah.NewDurable(store, ankurah.Permissive())
	if err != nil {
		return err
	}
	defer server.Close()
	if err := server.CreateSystem(ctx); err != nil {
		return err
	}

	// The client holds what it shows, here in memory, and joins the server's system.
	client, err := ankurah.New(memory.New(), ankurah.Permissive())
	if err != nil {
		return err
	}
	defer client.Close()
	link := local.Connect(server, client)
	defer link.Close()
	if err := client.WaitReady(ctx); err != nil {
		return err
	}

	// A live query on the client …
	albums, err := ankurah.Query[model.Album](client.Context(ankurah.Anonymous), "name = ?", "Origin of Symmetry")
	if err != nil {
		return err
	}
	defer albums.Close()
	if err := albums.Wait(ctx, ankurah.QueryLive); err != nil {
		return err
	}
	received := make(chan struct{}, 1)
	stop := albums.Subscribe(func(changes ankurah.Changes[model.Album]) {
		if len(changes.Changes) > 0 {
			fmt.Fprintln(out, "received", changes)
			received <- struct{}{}
		}
	})
	defer stop()

	// … is told of a commit on the server.
	tx := server.Context(ankurah.Anonymous).Begin()
	if _, err := ankurah.Create(tx, &model.Album{Name: "Origin of Symmetry", Artist: "Muse", Year: 2001}); err != nil {
		return err
	}
	if _, err := tx.Commit(ctx); err != nil {
		return err
	}
	<-received
	return nil
}
