package ws

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"github.com/ankurah-go/ankurah/connectors"
)

// Dialer returns a dialer to the endpoint at address, a URL with the scheme ws or wss.
// A URL without a path means /ws, where the durable server listens. A wrong address is
// reported by Dial.
func Dialer(address string, o DialOptions) connectors.Dialer {
	o.Limits = o.Limits.ensureDefaults()
	return &dialer{address: address, options: o}
}

type dialer struct {
	address string
	options DialOptions
}

// Dial implements connectors.Dialer.
func (d *dialer) Dial(ctx context.Context) (connectors.Conn, error) {
	target, err := endpoint(d.address)
	if err != nil {
		return nil, err
	}
	o := &websocket.DialOptions{
		HTTPClient:      d.options.Client,
		HTTPHeader:      d.options.Header,
		CompressionMode: compression(d.options.Limits),
	}
	socket, response, err := websocket.Dial(ctx, target, o)
	if err != nil {
		words := ""
		if response != nil && response.Body != nil {
			body, _ := io.ReadAll(io.LimitReader(response.Body, 512))
			words = strings.TrimSpace(string(body))
		}
		if words != "" {
			return nil, fmt.Errorf("dial %s: %s (%w)", target, words, err)
		}
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	return newConn(socket, target, d.options.Limits).start(), nil
}

// String implements connectors.Dialer.
func (d *dialer) String() string { return d.address }

// CheckAddress returns what is wrong with the address of an endpoint, if anything.
func CheckAddress(address string) error {
	_, err := endpoint(address)
	return err
}

// endpoint checks an address and completes it.
func endpoint(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("address %q: %w", address, err)
	case u.Scheme != "ws" && u.Scheme != "wss":
		return "", fmt.Errorf("address %q: want a URL that begins with ws:// or wss://", address)
	case u.Host == "":
		return "", fmt.Errorf("address %q: no host", address)
	case u.Fragment != "":
		return "", fmt.Errorf("address %q: a fragment has no meaning here", address)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u.String(), nil
}

func compression(l Limits) websocket.CompressionMode {
	if l.Compression {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionDisabled
}
