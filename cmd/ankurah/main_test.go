package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// call is one run of the program.
type call struct {
	status         int
	stdout, stderr string
}

// ankurah runs the program.
func ankurah(t testing.TB, stdin io.Reader, args ...string) call {
	t.Helper()
	return ankurahUntil(t.Context(), stdin, args...)
}

func ankurahUntil(ctx context.Context, stdin io.Reader, args ...string) call {
	var stdout, stderr bytes.Buffer
	p := &program{stdin: stdin, stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }}
	status := p.run(ctx, args)
	return call{status, stdout.String(), stderr.String()}
}

// must demands that a run went well.
func (c call) must(t testing.TB) call {
	t.Helper()
	if c.status != exitOK {
		t.Fatalf("status %d\n%s%s", c.status, c.stdout, c.stderr)
	}
	return c
}

// What makes no sense is said in one line, with what would, and status 2; what fails, with
// status 1.
func TestEachBadCallIsOneClearLine(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("not an archive\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"dmup", exitUsage, `there is no command "dmup"; ankurah help lists them`},
		{"help dmup", exitUsage, `there is no command "dmup"`},
		{"dump", exitUsage, "dump needs -o FILE, or -o - for standard output"},
		{"dump -o x", exitUsage, "--storage is missing: which store?"},
		{"dump -o x --storage oracle:x", exitUsage, `--storage: "oracle:x" is not a storage engine`},
		{"dump -o x --storage memory:", exitUsage, "--storage: a store in memory is gone with the server that has it"},
		{"dump -o x --storage pebble:", exitUsage, "--storage: pebble: needs a directory, as in pebble:./data"},
		{"dump --nonsense", exitUsage, "dump: flag provided but not defined: -nonsense; ankurah help dump lists what it takes"},
		{"dump -o x --storage sqlite:DIR/none.db extra", exitUsage, `dump takes no argument "extra"`},
		{"dump -o DIR/out --storage sqlite:DIR/none.db", exitFailed, "dump: sqlite:DIR/none.db: there is no such store"},
		{"dump -o DIR/out --storage pebble:DIR/none", exitFailed, "dump: pebble:DIR/none: there is no such store"},
		{"restore --storage sqlite:DIR/new.db", exitUsage, "restore needs one archive, FILE or - for standard input"},
		{"restore --storage sqlite:DIR/new.db DIR/none", exitFailed, "restore: open DIR/none: no such file or directory"},
		{"restore --storage sqlite:DIR/new.db DIR/text", exitFailed, "restore: DIR/text: this is not an archive of Ankurah"},
		{"verify --storage pebble:DIR/none", exitFailed, "verify: pebble:DIR/none: there is no such store"},
		{"drain", exitUsage, "drain wants --server unix:SOCKET, and nothing else"},
		{"drain --server unix:DIR/none.sock", exitFailed, "drain: "},
		{"verify --storage sqlite:DIR/text", exitFailed, "verify: file DIR/text: sqlite: not a file of Ankurah's"},
	} {
		got := ankurah(t, nil, strings.Fields(strings.ReplaceAll(c.args, "DIR", dir))...)
		want := "ankurah: " + strings.ReplaceAll(c.want, "DIR", dir)
		if got.status != c.status || !strings.HasPrefix(got.stderr, want) || strings.Count(got.stderr, "\n") != 1 || got.stdout != "" {
			t.Errorf("ankurah %s: status %d, %q; want %d, %q", c.args, got.status, got.stderr+got.stdout, c.status, want)
		}
	}
	for _, name := range []string{"none", "none.db", "new.db", "out"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// Help and version are no errors, and go to standard output.
func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "--help", "help dump", "dump --help", "restore -h", "version"} {
		got := ankurah(t, nil, strings.Fields(args)...).must(t)
		if got.stdout == "" || got.stderr != "" {
			t.Errorf("ankurah %s: %+v", args, got)
		}
	}
	overview := ankurah(t, nil, "help").stdout
	for _, c := range commands {
		if !strings.Contains(overview, "ankurah "+c.name) {
			t.Errorf("the help does not list %s", c.name)
		}
		if c.details == "" || c.summary == "" {
			t.Errorf("%s says nothing of itself", c.name)
		}
	}
	if got := ankurah(t, nil); got.status != exitUsage {
		t.Errorf("no command: status %d", got.status)
	}
}
