package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage/memory"
)

func TestEachRunAddsThatManyAlbums(t *testing.T) {
	leaktest.Check(t)
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	if err := node.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(ws.Handler(node, ws.Options{}))
	t.Cleanup(server.Close)
	url := "ws" + strings.TrimPrefix(server.URL, "http")

	for run := range 2 {
		var out bytes.Buffer
		if err := seed(t.Context(), &out, url, 250); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "250 of 250 albums") {
			t.Errorf("the last line of the progress is %q", out.String())
		}
		albums, err := ankurah.Fetch[model.Album](t.Context(), node.Context(ankurah.Anonymous), "")
		if err != nil {
			t.Fatal(err)
		}
		if want := 250 * (run + 1); len(albums) != want {
			t.Errorf("%d albums after run %d, want %d", len(albums), run+1, want)
		}
	}
}

func TestServerThatIsNotThereIsSaidSo(t *testing.T) {
	leaktest.Check(t)
	ctx, cancel := context.WithCancel(t.Context())
	node, err := ankurah.New(memory.New(), ankurah.Permissive())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	link := node.Dial(ws.Dialer("ws://127.0.0.1:1", ws.DialOptions{}), ankurah.DialOptions{})
	t.Cleanup(link.Close)
	node.OnStatus(func(s ankurah.Status) {
		if s.LastError != nil {
			cancel() // it would go on trying
		}
	})
	err = connect(ctx, node, "ws://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "is it running?") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}
