package config_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/server/config"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func parse(t *testing.T, args string, environment ...string) *config.Config {
	t.Helper()
	c, err := config.Parse(strings.Fields(args), env(environment...))
	if err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	want := &config.Config{
		Addr: "localhost:9797", Storage: config.Storage{Engine: "pebble", Dir: "./data"}, CSP: config.DefaultCSP,
		MaxConnections: 10_000, MaxPerAddress: 1000, MaxFrame: 16 << 20, MaxClockDrift: 5 * time.Minute, ShutdownTimeout: 15 * time.Second,
		LogLevel: slog.LevelInfo, LogFormat: "text",
	}
	if got := parse(t, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEverySetting(t *testing.T) {
	args := "--addr :80 --storage pebble:/var/lib/a --tls-cert c.pem --tls-key k.pem --origins https://a.b,http://localhost:* " +
		"--app dist --csp off --max-connections 5 --max-per-address 4 --trusted-proxies 10.0.0.0/8,127.0.0.1 " +
		"--limit rate=500,history-bytes=2MiB,ping=1m,opening-frame=64KiB --drain-delay 2s --max-frame 2MiB --max-clock-drift 1m --shutdown-timeout 3s " +
		"--metrics --log-level WARN --log-format json --peers wss://b.example.com,ws://c:9797/ws --peer-credentials token"
	want := &config.Config{
		Addr: ":80", Storage: config.Storage{Engine: "pebble", Dir: "/var/lib/a"}, TLSCert: "c.pem", TLSKey: "k.pem",
		Origins: []string{"https://a.b", "http://localhost:*"}, App: "dist", MaxConnections: 5, MaxPerAddress: 4, MaxFrame: 2 << 20,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}, DrainDelay: 2 * time.Second,
		Limits: core.Limits{Rate: 500, HistoryBytes: 2 << 20, Ping: time.Minute}, Sockets: ws.Options{OpeningFrame: 64 << 10},
		MaxClockDrift: time.Minute, ShutdownTimeout: 3 * time.Second, Metrics: true, LogLevel: slog.LevelWarn, LogFormat: "json",
		Peers: []string{"wss://b.example.com", "ws://c:9797/ws"}, PeerCredentials: "token",
	}
	if got := parse(t, args); !reflect.DeepEqual(got, want) {
		t.Errorf("from flags:\ngot  %+v\nwant %+v", got, want)
	}

	var environment []string
	fields := strings.Fields(args)
	for i := 0; i < len(fields); i++ {
		name := "ANKURAH_" + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(fields[i], "--"), "-", "_"))
		if fields[i] == "--metrics" {
			environment = append(environment, name, "true")
			continue
		}
		environment = append(environment, name, fields[i+1])
		i++
	}
	if got := parse(t, "", environment...); !reflect.DeepEqual(got, want) {
		t.Errorf("from the environment:\ngot  %+v\nwant %+v", got, want)
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	c := parse(t, "-addr=:1 -metrics=false", "ANKURAH_ADDR", ":2", "ANKURAH_METRICS", "1", "ANKURAH_LOG_LEVEL", "debug")
	if c.Addr != ":1" || c.Metrics || c.LogLevel != slog.LevelDebug {
		t.Errorf("got %+v", c)
	}
}

func TestDataDirectory(t *testing.T) {
	for args, want := range map[string]string{
		"--data /srv/x":                     "pebble:/srv/x",
		"--storage pebble:":                 "pebble:./data",
		"--storage pebble: --data /srv/x":   "pebble:/srv/x",
		"--storage memory:":                 "memory:",
		"--storage sqlite:a/b.db":           "sqlite:a/b.db",
		"--storage sqlite:///a/b.db":        "sqlite:///a/b.db",
		"--storage postgres://u@h:1/d":      "postgres://u@h:1/d",
		"--storage tikv://h:1,h2/p?poll=1s": "tikv://h:1,h2/p?poll=1s",
	} {
		if got := parse(t, args).Storage.String(); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}

// Servers on one TiKV are told of NATS, whose password is not shown.
func TestWake(t *testing.T) {
	c := parse(t, "--wake nats://user:secret@n,tls://m:4222 --storage tikv://h/p")
	want := config.Storage{Engine: "tikv", URL: "tikv://h/p", Wake: "nats://user:secret@n,tls://m:4222"}
	if c.Storage != want || c.Storage.String() != "tikv://h/p" {
		t.Errorf("got %+v, shown as %s", c.Storage, c.Storage)
	}
}

// A password is for the database, and not for the log.
func TestPasswordsAreNotShown(t *testing.T) {
	for _, text := range []string{"postgres://user:secret@h/d", "postgresql://h/d?user=user&password=secret", "postgres://user:secret@h/%zz"} {
		c, err := config.Parse([]string{"--storage", text}, env())
		switch {
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: %v", text, err)
		case err == nil && strings.Contains(c.Storage.String(), "secret"):
			t.Errorf("%s is shown as %s", text, c.Storage)
		case err == nil && c.Storage.URL != text:
			t.Errorf("%s becomes %s", text, c.Storage.URL)
		}
	}
}

func TestEachBadSettingIsOneClearLine(t *testing.T) {
	for _, c := range []struct {
		args string
		env  []string
		want string
	}{
		{args: "--adr :80", want: "--adr: is not a setting; did you mean --addr?; --help lists them"},
		{args: "--frobnicate", want: "--frobnicate: is not a setting; --help lists them"},
		{args: "serve", want: "serve: is not a setting; --help lists them"},
		{args: "addr", want: "addr: is not a setting; did you mean --addr?; --help lists them"},
		{args: "--addr", want: "--addr: needs a value: --addr HOST:PORT"},
		{args: "--addr :1 --addr :2", want: "--addr: is given twice"},
		{args: "--addr 9797", want: `--addr: "9797" is not an address; want HOST:PORT, as in localhost:9797 or :9797`},
		{args: "--addr :http", want: `--addr: "http" is not a port; want 0 to 65535`},
		{args: "--addr :65536", want: `--addr: "65536" is not a port; want 0 to 65535`},
		{env: []string{"ANKURAH_ADDR", "x"}, want: `ANKURAH_ADDR: "x" is not an address; want HOST:PORT, as in localhost:9797 or :9797`},
		{args: "--data=", want: "--data: is empty"},
		{args: "--storage oracle:x", want: `--storage: "oracle:x" is not a storage engine; want pebble:DIR, sqlite:FILE, postgres://USER@HOST/DATABASE, tikv://PD,PD/PREFIX, or memory: to keep nothing`},
		{args: "--storage tikv://h", want: "--storage: tikv: needs a URL with the cluster's PDs and a prefix, as in tikv://pd1,pd2,pd3/ankurah"},
		{args: "--storage tikv:h/p", want: "--storage: tikv: needs a URL with the cluster's PDs and a prefix, as in tikv://pd1,pd2,pd3/ankurah"},
		{args: "--storage pebble", want: `--storage: "pebble" is not a storage engine; want pebble:DIR, sqlite:FILE, postgres://USER@HOST/DATABASE, tikv://PD,PD/PREFIX, or memory: to keep nothing`},
		{args: "--storage sqlite:", want: "--storage: sqlite: needs a file, as in sqlite:ankurah.db"},
		{args: "--storage postgres:d", want: "--storage: postgres: needs a URL with a database, as in postgres://user@localhost/database"},
		{args: "--storage postgres://h", want: "--storage: postgres: needs a URL with a database, as in postgres://user@localhost/database"},
		{args: "--storage sqlite:a.db --data x", want: "--data: has no meaning with --storage sqlite:"},
		{args: "--storage postgres://h/d --data x", want: "--data: has no meaning with --storage postgres:"},
		{args: "--storage memory:x", want: `--storage: memory: keeps nothing, so it takes no directory, but got "x"`},
		{args: "--storage memory: --data x", want: "--data: has no meaning with --storage memory:"},
		{args: "--peers https://b.example.com", want: `--peers: address "https://b.example.com": want a URL that begins with ws:// or wss://`},
		{args: "--peers ws://b,ws://b", want: "--peers: ws://b is named twice"},
		{args: "--storage tikv://h/p --wake nats.example.com", want: "--wake: want addresses of NATS servers, as in nats://nats.example.com or tls://user:password@nats.example.com:4222"},
		{args: "--storage tikv://h/p --wake ,", want: "--wake: is empty"},
		{args: "--storage postgres://h/d --wake nats://n", want: "--wake: has a meaning only with --storage tikv:"},
		{args: "--wake nats://user:secret@n", want: "--wake: has a meaning only with --storage tikv:"},
		{args: "--peers ,", want: "--peers: is empty"},
		{args: "--peer-credentials token", want: "--peer-credentials: has a meaning only with --peers"},
		{args: "--tls-cert c.pem", want: "--tls-cert: needs --tls-key beside it"},
		{env: []string{"ANKURAH_TLS_KEY", "k.pem"}, want: "ANKURAH_TLS_KEY: needs --tls-cert beside it"},
		{args: "--tls-cert= --tls-key=k", want: "--tls-cert: is empty"},
		{args: "--origins app.example.com", want: `--origins: origin "app.example.com": want *, or something like https://app.example.com`},
		{args: "--app=", want: "--app: is empty"},
		{args: "--csp off", want: "--csp: has a meaning only with --app"},
		{args: "--max-connections 0", want: `--max-connections: "0" is not a number from 1 to 1000000`},
		{args: "--max-connections many", want: `--max-connections: "many" is not a number from 1 to 1000000`},
		{args: "--max-per-address 0", want: `--max-per-address: "0" is not a number from 1 to 1000000`},
		{args: "--trusted-proxies nginx", want: `--trusted-proxies: "nginx" is neither an address nor a range like 10.0.0.0/8`},
		{args: "--limit speed=1", want: `--limit: "speed" is not a limit; docs/limits.md lists them`},
		{args: "--limit rate", want: `--limit: "rate" is not a limit; want NAME=VALUE, as in subscriptions=1000`},
		{args: "--limit rate=fast", want: `--limit: rate: "fast" is not a number above zero`},
		{args: "--limit rate=5,rate=0", want: `--limit: rate: "0" is not a number above zero`},
		{args: "--limit ping=5", want: `--limit: ping: "5" is not a duration; want something like 90s or 5m`},
		{args: "--drain-delay soon", want: `--drain-delay: "soon" is not a duration; want something like 90s or 5m`},
		{args: "--max-frame 16", want: "--max-frame: 16 is out of range; want 1114112 bytes to 16777216"},
		{args: "--max-frame 17MiB", want: "--max-frame: 17MiB is out of range; want 1114112 bytes to 16777216"},
		{args: "--max-frame 9223372036854775807KiB", want: "--max-frame: 9223372036854775807KiB is out of range; want 1114112 bytes to 16777216"},
		{args: "--max-frame big", want: `--max-frame: "big" is not a size; want bytes, or something like 4MiB`},
		{args: "--max-clock-drift 5", want: `--max-clock-drift: "5" is not a duration; want something like 90s or 5m`},
		{args: "--max-clock-drift -5m", want: "--max-clock-drift: -5m is not more than zero"},
		{args: "--shutdown-timeout 0s", want: "--shutdown-timeout: 0s is not more than zero"},
		{args: "--metrics=maybe", want: `--metrics: "maybe" is neither true nor false`},
		{args: "--log-level loud", want: `--log-level: "loud" is not a level; want debug, info, warn or error`},
		{args: "--log-format xml", want: `--log-format: "xml" is not a format; want text or json`},
	} {
		_, err := config.Parse(strings.Fields(c.args), env(c.env...))
		if err == nil {
			t.Errorf("%s %v: accepted", c.args, c.env)
		} else if err.Error() != c.want {
			t.Errorf("%s %v:\ngot  %s\nwant %s", c.args, c.env, err, c.want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for args, want := range map[string]error{
		"--help": config.ErrHelp, "-h": config.ErrHelp, "help": config.ErrHelp, "--addr :1 --help": config.ErrHelp,
		"--version": config.ErrVersion, "version": config.ErrVersion,
	} {
		if _, err := config.Parse(strings.Fields(args), env()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", args, err, want)
		}
	}
	usage := config.Usage()
	for _, name := range []string{"addr", "data", "storage", "tls-cert", "tls-key", "origins", "app", "csp", "max-connections",
		"max-frame", "max-clock-drift", "shutdown-timeout", "metrics", "log-level", "log-format", "version", "help"} {
		if !strings.Contains(usage, "  --"+name) {
			t.Errorf("the help does not name --%s", name)
		}
	}
	for line := range strings.Lines(usage) {
		if len(line) > 90 {
			t.Errorf("a line of the help is too long: %s", line)
		}
	}
}
