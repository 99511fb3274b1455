//go:build js && wasm

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall/js"

	"github.com/ankurah-go/ankurah/connectors/wsjs"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/indexeddb"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

func main() {
	tuneCollector()
	if len(os.Args) != 2 {
		complain(errors.New("run without the name of its host"))
		return
	}
	host := js.Global().Get(os.Args[1])
	b := bridge.New(bridge.Options{Open: open, Failed: complain})
	ports := newPorts(b, host)
	stopped := make(chan struct{})
	stop := js.FuncOf(func(js.Value, []js.Value) any {
		close(stopped)
		return nil
	})
	host.Call("start", ports.receive, ports.disconnect, stop)
	<-stopped
	b.Close()
	ports.release()
	stop.Release()
}

// open opens the node that a page asks for.
func open(ctx context.Context, hello *frame.Hello) (*bridge.Opened, error) {
	opened := &bridge.Opened{Storage: hello.Storage}
	engine, err := openEngine(ctx, hello)
	if errors.Is(err, indexeddb.ErrUnsupported) {
		// A private window, or a browser that was told to keep nothing: better to work
		// until the last tab is closed than not at all, if the page knows.
		opened.Warning = fmt.Errorf("the data is kept in memory until the last tab is closed: %w", err)
		opened.Storage = frame.StorageMemory
		engine, err = memory.New(), nil
	}
	if err != nil {
		return nil, err
	}
	opened.Node, err = core.OpenEphemeral(ctx, core.Options{
		Engine:   engine,
		Listener: core.Listener{Failed: func(op string, err error) { complain(fmt.Errorf("%s: %w", op, err)) }},
	})
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	if hello.URL != "" {
		opened.Dial = func(token string) (hangUp func()) {
			link := opened.Node.Dial(wsjs.Dialer(hello.URL, wsjs.Options{}), core.DialOptions{Credentials: []byte(token)})
			return func() { link.Close() }
		}
	}
	return opened, nil
}

func openEngine(ctx context.Context, hello *frame.Hello) (storage.Engine, error) {
	if hello.Storage == frame.StorageMemory {
		return memory.New(), nil
	}
	store, err := indexeddb.Open(ctx, indexeddb.Options{Name: "ankurah " + hello.Name})
	if err != nil {
		return nil, err
	}
	engine, err := kv.Open(ctx, store, kv.Options{})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return engine, nil
}

// complain reports what no page can be told of.
func complain(err error) {
	js.Global().Get("console").Call("error", "ankurah: "+err.Error())
}
