//go:build js && wasm

package wsjs

import (
	"context"
	"fmt"
	"syscall/js"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/proto"
)

// Dialer returns a dialer to the endpoint at address, a URL with the scheme ws or wss.
// A URL without a path means /ws, where the durable server listens. A wrong address is
// reported by Dial.
func Dialer(address string, o Options) connectors.Dialer {
	return &dialer{address: address, options: o.ensureDefaults()}
}

func (o Options) ensureDefaults() Options {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&o.MaxFrame, proto.MaxFrame},
		{&o.QueueFrames, 256},
		{&o.QueueBytes, 1 << 20},
		{&o.ReceiveFrames, 1 << 16},
		{&o.ReceiveBytes, 32 << 20},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return o
}

type dialer struct {
	address string
	options Options
}

// Dial implements connectors.Dialer.
func (d *dialer) Dial(ctx context.Context) (connectors.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target, err := endpoint(d.address)
	if err != nil {
		return nil, err
	}
	class := js.Global().Get("WebSocket")
	if !class.Truthy() {
		return nil, ErrUnsupported
	}
	socket, err := construct(class, target)
	if err != nil {
		// A page that came by https may open no ws:// address, and is told so here.
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	c := newConn(socket, target, d.options)
	select {
	case <-c.opened:
		return c, nil
	case <-c.inbox.ended:
		return nil, fmt.Errorf("dial %s: %w", target, c.inbox.err())
	case <-ctx.Done():
		c.end(ctx.Err(), true, normalClosure, "")
		return nil, fmt.Errorf("dial %s: %w", target, ctx.Err())
	}
}

// String implements connectors.Dialer.
func (d *dialer) String() string { return d.address }

// endpoint checks an address and completes it.
func endpoint(address string) (string, error) {
	u, err := construct(js.Global().Get("URL"), address)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", address, err)
	}
	switch scheme := u.Get("protocol").String(); {
	case scheme != "ws:" && scheme != "wss:":
		return "", fmt.Errorf("address %q: want a URL that begins with ws:// or wss://", address)
	case u.Get("hash").String() != "":
		return "", fmt.Errorf("address %q: a fragment has no meaning here", address)
	}
	if u.Get("pathname").String() == "/" {
		u.Set("pathname", "/ws")
	}
	return u.Get("href").String(), nil
}

// construct returns new class(args…), or the exception that it throws.
func construct(class js.Value, args ...any) (v js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return class.New(args...), nil
}
