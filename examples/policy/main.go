// Command policy is a durable server with rules of its own: it shows how a program embeds
// a node, an agent and the web app, and what a browser sees when the agent refuses.
//
//	go run ./examples/policy -addr localhost:9797 -app examples/react-app/dist
//
// Its one rule: no album may be named "forbidden", or in any spelling of it. Everything is
// kept in memory and gone when it stops.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/server/webapp"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// titles refuses albums with a certain name, and allows everything else.
type titles struct {
	policy.Agent
	forbidden string
}

// Write judges an album as it would be after the change, so that it does not matter
// whether the name came with its creation or later.
func (t titles) Write(p policy.Principal, w policy.Write) error {
	if name, ok := w.After.Field("name").AsString(); ok && strings.EqualFold(name, t.forbidden) {
		return policy.Denied("no album may be named %q", name)
	}
	return t.Agent.Write(p, w)
}

func main() {
	addr := flag.String("addr", "localhost:9797", "where to listen")
	app := flag.String("app", "examples/react-app/dist", "the built web app to serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr, *app); err != nil {
		log.Fatalln("policy:", err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, addr, app string) error {
	files, err := webapp.New(app, "")
	if err != nil {
		return fmt.Errorf("app: %w", err)
	}
	defer files.Close()

	node, err := core.Open(ctx, core.Options{
		Engine:  memory.New(),
		Policy:  titles{Agent: policy.Permissive(), forbidden: "forbidden"},
		Durable: true,
	})
	if err != nil {
		return err
	}
	defer node.Close()
	if err := node.CreateSystem(ctx); err != nil {
		return err
	}

	endpoint := ws.Handler(node, ws.Options{})
	mux := http.NewServeMux()
	mux.Handle("/ws", endpoint)
	mux.Handle("/", files)
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		stopped <- errors.Join(endpoint.Shutdown(closing), server.Shutdown(closing))
	})
	log.Printf("http://%s", addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
