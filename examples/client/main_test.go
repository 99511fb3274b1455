package main

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// A client talks to a server over a WebSocket; here the server is one of the test's own,
// embedded in any HTTP server.
func Example() {
	ctx := context.Background()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	check(err)
	defer node.Close()
	check(node.CreateSystem(ctx))
	server := httptest.NewServer(ws.Handler(node, ws.Options{}))
	defer server.Close()
	url := "ws" + strings.TrimPrefix(server.URL, "http")

	check(run(ctx, os.Stdout, url, "Muse", "Origin of Symmetry", false))
	check(run(ctx, os.Stdout, url, "Muse", "Absolution", false))
	// Output:
	// Origin of Symmetry by Muse
	// Absolution by Muse
	// Origin of Symmetry by Muse
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
