package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/proto"
)

// setting is one line of the table: its name as a flag, and how its text becomes part
// of a Config. A switch needs no text.
type setting struct {
	name     string
	argument string // what its text is, for the help; empty for a switch
	help     string
	parse    func(c *Config, text string) error
}

// env returns the setting's environment variable.
func (s *setting) env() string {
	return "ANKURAH_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// settings is the table of all settings, in the order of the help.
var settings = []setting{
	{"addr", "HOST:PORT", "where to listen (localhost:9797)", parseAddr},
	{"data", "DIR", "data directory of the embedded engine (./data)", func(c *Config, text string) error {
		c.Storage.Dir = text
		return nonEmpty(text)
	}},
	{"storage", "ENGINE:PLACE", "storage engine: pebble:DIR, sqlite:FILE, postgres://USER@HOST/DATABASE, tikv://PD,PD/PREFIX, or memory: which forgets " +
		"(pebble:, in the data directory)", parseStorage},
	{"wake", "LIST", "NATS servers, separated by commas, by which servers on one TiKV tell each other of commits: nats://user:password@nats.example.com " +
		"(none: they look for them)", parseWake},
	{"tls-cert", "FILE", "certificate chain in PEM, to serve https and wss", func(c *Config, text string) error {
		c.TLSCert = text
		return nonEmpty(text)
	}},
	{"tls-key", "FILE", "its private key in PEM", func(c *Config, text string) error {
		c.TLSKey = text
		return nonEmpty(text)
	}},
	{"origins", "LIST", "web pages that may connect, separated by commas: https://app.example.com, https://*.example.com, http://localhost:*, or * for all " +
		"(the server's own; while it listens on a loopback address, all on this machine)", parseOrigins},
	{"app", "DIR", "also serve the web app that was built into DIR", func(c *Config, text string) error {
		c.App = text
		return nonEmpty(text)
	}},
	{"csp", "POLICY", "Content-Security-Policy of the app, or off (one that allows what the app was built with)", func(c *Config, text string) error {
		c.CSP = text
		if text == "off" {
			c.CSP = ""
		}
		return nonEmpty(text)
	}},
	{"peers", "LIST", "durable servers with stores of their own to replicate with, separated by commas: wss://b.example.com,wss://c.example.com (none)", parsePeers},
	{"peer-credentials", "FILE", "what to present to them, for their policy to know this server by", func(c *Config, text string) error {
		c.PeerCredentials = text
		return nonEmpty(text)
	}},
	{"max-connections", "N", "open connections at most (10000)", func(c *Config, text string) error {
		return parseConnections(&c.MaxConnections, text)
	}},
	{"max-per-address", "N", "of them from one address at most (1000)", func(c *Config, text string) error {
		return parseConnections(&c.MaxPerAddress, text)
	}},
	{"trusted-proxies", "LIST", "addresses and ranges, separated by commas, of proxies that say in X-Forwarded-For for whom they connect: 10.0.0.0/8 (none)",
		parseTrustedProxies},
	{"max-frame", "BYTES", "largest message, with KiB or MiB if you like (16MiB)", parseMaxFrame},
	{"limit", "NAME=N,…", "further limits, by the names that docs/limits.md lists: rate=5000,subscriptions=500,handshake=5s", parseLimits},
	{"max-clock-drift", "DURATION", "how far ahead of this server's clock a change may be dated (5m)", func(c *Config, text string) error {
		return parseDuration(&c.MaxClockDrift, text)
	}},
	{"shutdown-timeout", "DURATION", "how long a shutdown may wait for what is in progress (15s)", func(c *Config, text string) error {
		return parseDuration(&c.ShutdownTimeout, text)
	}},
	{"drain-delay", "DURATION", "how long to serve on, and say at /readyz that this is not the place to go to, before a shutdown (0s)", func(c *Config, text string) error {
		if text == "0" || text == "0s" {
			return nil
		}
		return parseDuration(&c.DrainDelay, text)
	}},
	{"metrics", "", "serve /metrics for Prometheus", func(c *Config, text string) error {
		return parseSwitch(&c.Metrics, text)
	}},
	{"admin", "SOCKET", "also answer ankurah inspect, dump and copy, on this Unix socket, which only the server's own user may open (off)", func(c *Config, text string) error {
		c.Admin = text
		return nonEmpty(text)
	}},
	{"log-level", "LEVEL", "debug, info, warn or error (info)", parseLogLevel},
	{"log-format", "FORMAT", "text or json (text)", func(c *Config, text string) error {
		c.LogFormat = text
		if text != "text" && text != "json" {
			return fmt.Errorf("%q is not a format; want text or json", text)
		}
		return nil
	}},
}

func nonEmpty(text string) error {
	if text == "" {
		return errors.New("is empty")
	}
	return nil
}

func parseAddr(c *Config, text string) error {
	c.Addr = text
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is not an address; want HOST:PORT, as in localhost:9797 or :9797", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil { // 0: the system chooses one
		return fmt.Errorf("%q is not a port; want 0 to 65535", port)
	}
	return nil
}

func parseStorage(c *Config, text string) error {
	s, err := ParseStorage(text)
	if err != nil {
		return err
	}
	if s.Engine == "pebble" && s.Dir == "" {
		s.Dir = c.Storage.Dir
	}
	c.Storage = s
	return nil
}

// ParseStorage reads a storage setting, as in pebble:DIR. It does not look whether the place
// exists; pebble: without one is for the caller to judge.
func ParseStorage(text string) (Storage, error) {
	engine, place, ok := strings.Cut(text, ":")
	if !ok {
		engine = ""
	}
	switch {
	case engine == "pebble":
		return Storage{Engine: engine, Dir: place}, nil
	case engine == "memory" && place != "":
		return Storage{}, fmt.Errorf("memory: keeps nothing, so it takes no directory, but got %q", place)
	case engine == "memory":
		return Storage{Engine: engine}, nil
	case engine == "sqlite" && place == "":
		return Storage{}, errors.New("sqlite: needs a file, as in sqlite:ankurah.db")
	case engine == "sqlite":
		return Storage{Engine: engine, File: place}, nil
	case engine == "postgres" || engine == "postgresql":
		if u, err := url.Parse(text); err != nil || !strings.HasPrefix(place, "//") || strings.Trim(u.Path, "/") == "" {
			return Storage{}, errors.New("postgres: needs a URL with a database, as in postgres://user@localhost/database")
		}
		return Storage{Engine: "postgres", URL: text}, nil
	case engine == "tikv":
		hosts, prefix, _ := strings.Cut(strings.TrimPrefix(place, "//"), "/")
		if !strings.HasPrefix(place, "//") || hosts == "" || strings.HasPrefix(prefix, "?") || prefix == "" {
			return Storage{}, errors.New("tikv: needs a URL with the cluster's PDs and a prefix, as in tikv://pd1,pd2,pd3/ankurah")
		}
		return Storage{Engine: engine, URL: text}, nil
	}
	return Storage{}, fmt.Errorf("%q is not a storage engine; want pebble:DIR, sqlite:FILE, postgres://USER@HOST/DATABASE, tikv://PD,PD/PREFIX, or memory: to keep nothing", text)
}

// parseWake comes after parseStorage: the settings are read in the table's order.
func parseWake(c *Config, text string) error {
	addresses := commaSeparated(text)
	if len(addresses) == 0 {
		return nonEmpty("")
	}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return errors.New("want addresses of NATS servers, as in nats://nats.example.com or tls://user:password@nats.example.com:4222")
		}
	}
	c.Storage.Wake = strings.Join(addresses, ",")
	return nil
}

func parsePeers(c *Config, text string) error {
	c.Peers = commaSeparated(text)
	if len(c.Peers) == 0 {
		return nonEmpty("")
	}
	for i, peer := range c.Peers {
		if err := ws.CheckAddress(peer); err != nil {
			return err
		}
		if slices.Contains(c.Peers[:i], peer) {
			return fmt.Errorf("%s is named twice", peer)
		}
	}
	return nil
}

func parseOrigins(c *Config, text string) error {
	c.Origins = commaSeparated(text)
	return ws.CheckOrigins(c.Origins)
}

// commaSeparated returns what stands between commas, without empty parts.
func commaSeparated(text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func parseConnections(field *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000 {
		return fmt.Errorf("%q is not a number from 1 to 1000000", text)
	}
	*field = n
	return nil
}

func parseTrustedProxies(c *Config, text string) (err error) {
	c.TrustedProxies, err = ws.ParseProxies(commaSeparated(text))
	return err
}

func parseMaxFrame(c *Config, text string) error {
	number, unit := units(text)
	n, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("%q is not a size; want bytes, or something like 4MiB", text)
	}
	if n < 0 || n > proto.MaxFrame/unit || n*unit < minFrame {
		return fmt.Errorf("%s is out of range; want %d bytes to %d", text, minFrame, proto.MaxFrame)
	}
	c.MaxFrame = n * unit
	return nil
}

// units takes KiB or MiB off a number.
func units(text string) (number string, unit int) {
	number, unit = text, 1
	for suffix, size := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = rest, size
		}
	}
	return strings.TrimSpace(number), unit
}

func parseDuration(field *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration; want something like 90s or 5m", text)
	}
	if d <= 0 {
		return fmt.Errorf("%s is not more than zero", text)
	}
	*field = d
	return nil
}

func parseSwitch(field *bool, text string) error {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	*field = b
	return nil
}

func parseLogLevel(c *Config, text string) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(text, level.String()) {
			c.LogLevel = level
			return nil
		}
	}
	return fmt.Errorf("%q is not a level; want debug, info, warn or error", text)
}
