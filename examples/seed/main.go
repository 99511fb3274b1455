// Command seed adds albums to a running server, through the API that every client uses:
// it is an ephemeral node, connected over a WebSocket, that commits transactions.
//
//	make seed           # 1,000 albums
//	make seed N=100000
//
// Each run adds that many more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/storage/memory"
)

const (
	perTransaction = 100 // albums that appear together
	inFlight       = 8   // transactions sent before the first is acknowledged
	connectTimeout = 10 * time.Second
)

func main() {
	url := flag.String("url", "ws://localhost:9797", "address of the server")
	count := flag.Int("n", 1000, "how many albums to add")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := seed(ctx, os.Stdout, *url, *count); err != nil {
		log.Fatalln("seed:", err)
	}
}

// seed adds count albums and reports how it goes.
func seed(ctx context.Context, out io.Writer, url string, count int) error {
	node, err := ankurah.New(memory.New(), ankurah.Permissive())
	if err != nil {
		return err
	}
	defer node.Close()
	link := node.Dial(ws.Dialer(url, ws.DialOptions{}), ankurah.DialOptions{})
	defer link.Close()
	if err := connect(ctx, node, url); err != nil {
		return err
	}

	started := time.Now()
	done := 0
	progress := func(added int) {
		done += added
		fmt.Fprintf(out, "\r%d of %d albums, %.0f a second", done, count, float64(done)/time.Since(started).Seconds())
	}
	err = add(ctx, node.Context(ankurah.Anonymous), count, progress)
	fmt.Fprintln(out)
	return err
}

// connect waits for the server, and says what stands in the way if it takes too long.
func connect(ctx context.Context, node *ankurah.Node, url string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err := node.WaitReady(ctx)
	if err != nil && node.Status().LastError != nil {
		return fmt.Errorf("cannot reach the server at %s (is it running? make dev): %w", url, node.Status().LastError)
	}
	return err
}

// sent is a transaction on its way to the server.
type sent struct {
	receipt *ankurah.Receipt
	albums  int
}

// add commits transactions, several ahead of the acknowledgements.
func add(ctx context.Context, c *ankurah.Context, count int, progress func(added int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	window := make(chan sent, inFlight)
	settled := make(chan error, 1)
	go func() { settled <- settle(ctx, window, progress) }()

	var err error
	for left := count; left > 0 && err == nil; left -= perTransaction {
		var s sent
		if s, err = commit(ctx, c, min(left, perTransaction)); err == nil {
			select {
			case window <- s:
			case err = <-settled: // refused: there is no use in going on
				return err
			}
		}
	}
	close(window)
	return errors.Join(err, <-settled)
}

// settle waits until the server has each transaction.
func settle(ctx context.Context, window <-chan sent, progress func(added int)) error {
	for s := range window {
		if err := s.receipt.Synced(ctx); err != nil {
			return err
		}
		progress(s.albums)
	}
	return nil
}

func commit(ctx context.Context, c *ankurah.Context, count int) (sent, error) {
	tx := c.Begin()
	for range count {
		if _, err := ankurah.Create(tx, album()); err != nil {
			tx.Rollback()
			return sent{}, err
		}
	}
	receipt, err := tx.Commit(ctx)
	return sent{receipt, count}, err
}

// album invents one.
func album() *model.Album {
	pick := func(words []string) string { return words[rand.IntN(len(words))] }
	return &model.Album{
		Name:   pick(adjectives) + " " + pick(nouns),
		Artist: pick(artists),
		Year:   1960 + rand.IntN(66),
	}
}

var (
	adjectives = []string{"Absent", "Blue", "Broken", "Copper", "Distant", "Electric", "Endless", "Foreign", "Golden", "Hidden",
		"Hollow", "Indigo", "Late", "Little", "Lunar", "Midnight", "Northern", "Paper", "Patient", "Quiet",
		"Restless", "Scarlet", "Second", "Silver", "Sleeping", "Slow", "Solar", "Southern", "Static", "Velvet"}
	nouns = []string{"Arcades", "Architecture", "Avenues", "Bridges", "Cartography", "Cities", "Clouds", "Echoes", "Engines", "Gardens",
		"Harbours", "Horizons", "Islands", "Lanterns", "Letters", "Machines", "Mirrors", "Oceans", "Orchards", "Parallels",
		"Rivers", "Rooms", "Satellites", "Seasons", "Signals", "Stations", "Stories", "Symmetry", "Telegrams", "Weather"}
	artists = []string{"The Ordinary Hours", "Marble Fox", "Ada Lark", "Tin Cathedral", "Nine Rivers", "Sophie Ansel", "Paper Union",
		"The Night Ferries", "Coral & Ash", "Low Meridian", "Bishop Street", "Juno Park", "The Far Cabinets", "Ivo Mendel",
		"Glass Parade", "Slow Comet", "Rosa Quill", "Field Recordings", "The Velvet Index", "Harbour Twins"}
)
