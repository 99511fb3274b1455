package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/core/id"
)

// Client asks a server on its socket.
type Client struct {
	http *http.Client
}

// NewClient returns a client of the server that listens on a socket. It connects when it is
// asked something.
func NewClient(socket string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true,
		DisableKeepAlives:  true,
	}
	return &Client{&http.Client{Transport: transport}}
}

// Refused is a server's answer that it does not do something.
type Refused struct {
	Status int // of HTTP
	Reason string
}

// Error implements error.
func (e *Refused) Error() string { return e.Reason }

// Inspect returns what there is to see of the server.
func (c *Client) Inspect(ctx context.Context) (*Inspection, error) {
	in := &Inspection{}
	return in, c.get(ctx, "/inspect", in)
}

// Entity returns an entity with its history.
func (c *Client) Entity(ctx context.Context, e id.EntityID) (*Entity, error) {
	out := &Entity{}
	return out, c.get(ctx, "/entities/"+e.String(), out)
}

// Drain has the server send its clients to other servers and take no new ones. It returns when
// they have gone; the server runs on until it is stopped. Where ctx ends before that, the server
// stays as it is then: it takes no clients.
func (c *Client) Drain(ctx context.Context) error {
	body, err := c.do(ctx, http.MethodPost, "/drain", nil)
	if err != nil {
		return err
	}
	return body.Close()
}

// Profile returns a profile of the server's process as text: heap, after a collection, goroutine,
// allocs, block, mutex or threadcreate. The caller closes it.
func (c *Client) Profile(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.do(ctx, http.MethodGet, "/debug/pprof/"+url.PathEscape(name)+"?debug=1&gc=1", nil)
}

// ArchiveOptions say which archive is asked for.
type ArchiveOptions struct {
	From     *archive.Restored // behind what was restored of it; nil for all
	Follow   bool              // goes on with what is committed, and has no end
	Compress bool
}

// Archive returns an archive as it is being made. The caller closes it, which ends it.
func (c *Client) Archive(ctx context.Context, o ArchiveOptions) (io.ReadCloser, error) {
	var from []byte
	if o.From != nil {
		from = o.From.Encode()
	}
	query := url.Values{"follow": {fmt.Sprint(o.Follow)}, "compress": {fmt.Sprint(o.Compress)}}
	return c.do(ctx, http.MethodPost, "/archive?"+query.Encode(), from)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(into)
}

// maxReason bounds what is read of a refusal.
const maxReason = 64 << 10

func (c *Client) do(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	reason, err := io.ReadAll(io.LimitReader(answer.Body, maxReason))
	if err != nil {
		return nil, err
	}
	return nil, &Refused{answer.StatusCode, strings.TrimSpace(string(reason))}
}
