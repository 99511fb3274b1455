// Command client is a Go client of a running server: it shows a live query, adds an
// album, and waits until the server has it.
//
//	make dev                  # or: bin/ankurah-server
//	go run ./examples/client -artist Muse
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/storage/memory"
)

func main() {
	url := flag.String("url", "ws://localhost:9797", "address of the server")
	artist := flag.String("artist", "Muse", "whose albums to show")
	name := flag.String("add", "", "name of an album to add")
	watch := flag.Bool("watch", false, "keep showing changes until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *url, *artist, *name, *watch); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, url, artist, name string, watch bool) error {
	node, err := ankurah.New(memory.New(), ankurah.Permissive())
	if err != nil {
		return err
	}
	defer node.Close()
	link := node.Dial(ws.Dialer(url, ws.DialOptions{}), ankurah.DialOptions{})
	defer link.Close()
	if err := node.WaitReady(ctx); err != nil {
		return err
	}
	c := node.Context(ankurah.Anonymous)

	if name != "" {
		tx := c.Begin()
		if _, err := ankurah.Create(tx, &model.Album{Name: name, Artist: artist}); err != nil {
			return err
		}
		receipt, err := tx.Commit(ctx) // safe on this node
		if err != nil {
			return err
		}
		if err := receipt.Synced(ctx); err != nil { // safe on the server
			return err
		}
	}

	albums, err := ankurah.Query[model.Album](c, "artist = :artist ORDER BY name", ankql.Named{"artist": artist})
	if err != nil {
		return err
	}
	defer albums.Close()
	if err := albums.Wait(ctx, ankurah.QueryLive); err != nil {
		return err
	}
	rows, err := albums.Rows()
	if err != nil {
		return err
	}
	for _, album := range rows {
		fmt.Fprintln(out, album.Value.Name, "by", album.Value.Artist)
	}
	if watch {
		defer albums.Subscribe(func(changes ankurah.Changes[model.Album]) { fmt.Fprintln(out, changes) })()
		<-ctx.Done()
	}
	return nil
}
