package tikv

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Options are an engine's settings; the zero value has the defaults. What a URL says goes
// before them.
type Options struct {
	// Timeout is how long a call takes at most, its retries included; then it ends with
	// storage.ErrUnavailable. The default is 10 s.
	Timeout time.Duration
	// Attempt is how long the answer to a read is waited for before it is asked for again;
	// default 3 s.
	Attempt time.Duration
	// Lease is after how long without a sign of life a process is taken for dead, by the
	// cluster's clock: others then may take its feed and its locks. The default is 10 s.
	Lease time.Duration
	// Poll is how long it takes at most until the process notices what another has committed;
	// it looks more often while others commit. The default is 50 ms.
	Poll time.Duration
	// Keep, if it is given, has the cluster forget versions of rows that were replaced longer ago,
	// all those of the cluster and not of this store alone, by one process at a time. It is for
	// clusters where nobody else sees to that, as TiDB and its tools do; without it, such a
	// cluster grows with every commit. Ten minutes are usual; a view has to end within them.
	Keep time.Duration
	// CA, Cert and Key are files in PEM: the authority that the cluster's certificates are
	// from, and the certificate of this client with its key. Without CA nothing is encrypted.
	CA, Cert, Key string
	// Hints, if it is given, opens what the processes of a store tell each other by, so that each
	// notices at once what another has committed or broadcast; it looks every Poll all the same.
	// The store's name is the same in every process that has it open, and no other store's. What
	// it returns is closed with the engine.
	Hints func(store string) (storage.Hints, error)
	// Log takes warnings and errors of the client library, which are dropped without it. The
	// library has one log for the whole process: the one that was given last.
	Log *slog.Logger
	// KV are the settings of the engine over the store.
	KV kv.Options
}

func (o *Options) ensureDefaults() {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Attempt <= 0 {
		o.Attempt = 3 * time.Second
	}
	if o.Lease <= 0 {
		o.Lease = 10 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 50 * time.Millisecond
	}
}

// defaultPort is where a PD listens unless the URL says otherwise.
const defaultPort = "2379"

// prefixName is what the place of a store within a cluster may be called.
var prefixName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// place is what a URL names.
type place struct {
	pds    []string // addresses, host and port
	prefix string
}

// parseURL reads tikv://HOST[:PORT][,HOST[:PORT]…]/PREFIX[?NAME=VALUE&…], and sets what the
// parameters say in o.
func parseURL(text string, o *Options) (p place, err error) {
	rest, ok := strings.CutPrefix(text, "tikv://")
	if !ok {
		return p, errors.New("tikv: want a URL, as in tikv://pd1,pd2,pd3/prefix")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, prefix, _ := strings.Cut(rest, "/")
	if !prefixName.MatchString(prefix) {
		return p, fmt.Errorf("tikv: prefix %q: want up to 64 letters, digits, dots, dashes and underscores, as in tikv://pd1,pd2,pd3/prefix", prefix)
	}
	p.prefix = prefix
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return p, errors.New("tikv: want the address of a PD, as in tikv://pd1,pd2,pd3/prefix")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
		}
		p.pds = append(p.pds, host)
	}
	return p, o.parseQuery(query)
}

// parseQuery reads the parameters of a URL.
func (o *Options) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("tikv: %w", err)
	}
	durations := map[string]*time.Duration{"timeout": &o.Timeout, "attempt": &o.Attempt, "lease": &o.Lease, "poll": &o.Poll, "keep": &o.Keep}
	files := map[string]*string{"ca": &o.CA, "cert": &o.Cert, "key": &o.Key}
	for name := range values {
		switch value := values.Get(name); {
		case durations[name] != nil:
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return fmt.Errorf("tikv: %s=%s: want a duration, as in 10s or 250ms", name, value)
			}
			*durations[name] = d
		case files[name] != nil:
			*files[name] = value
		default:
			return fmt.Errorf("tikv: unknown parameter %q; want timeout, attempt, lease, poll, keep, ca, cert or key", name)
		}
	}
	return nil
}
