package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines are what `go test -json` prints, without the fields that are not looked at.
func lines(events ...string) *strings.Reader {
	return strings.NewReader(strings.Join(events, "\n") + "\n")
}

func tallied(t *testing.T, events ...string) (*tally, string) {
	t.Helper()
	var out bytes.Buffer
	counts := newTally(&out)
	if err := counts.read(lines(events...)); err != nil {
		t.Fatal(err)
	}
	counts.finish()
	return counts, out.String()
}

func TestWhatPassesIsOneLine(t *testing.T) {
	counts, out := tallied(t,
		`{"Action":"start","Package":"p"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/case"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"skip","Package":"p","Test":"TestB"}`,
		`{"Action":"pass","Package":"p","Elapsed":1.5}`,
	)
	if counts.passed != 2 || counts.failed != 0 || len(counts.skipped) != 1 {
		t.Errorf("%d passed, %d failed, %v skipped", counts.passed, counts.failed, counts.skipped)
	}
	if strings.Contains(out, "noise") || !strings.HasPrefix(out, "ok   p ") || !strings.Contains(out, "skip p TestB") {
		t.Errorf("printed\n%s", out)
	}
}

func TestWhatFailsIsShownWhole(t *testing.T) {
	for name, c := range map[string]struct {
		events []string
		want   []string
	}{
		"a test": {[]string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN TestA\n"}`,
			`{"Action":"output","Package":"p","Test":"TestA","Output":"seed 42\n"}`,
			`{"Action":"fail","Package":"p","Test":"TestA"}`,
			`{"Action":"fail","Package":"p"}`,
		}, []string{"FAIL p TestA\n", "seed 42", "FAIL p\n"}},
		"a build": {[]string{
			`{"Action":"build-output","ImportPath":"p","Output":"p.go:1: undefined: x\n"}`,
			`{"Action":"build-fail","ImportPath":"p"}`,
			`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
		}, []string{"FAIL p\n", "undefined: x"}},
		"a package, outside of its tests": {[]string{
			`{"Action":"pass","Package":"p","Test":"TestA"}`,
			`{"Action":"output","Package":"p","Output":"goroutine left behind\n"}`,
			`{"Action":"fail","Package":"p"}`,
		}, []string{"FAIL p\n", "goroutine left behind"}},
		"a test that does not end": {[]string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"waiting\n"}`,
		}, []string{"FAIL p TestA (did not end)\n", "waiting"}},
	} {
		counts, out := tallied(t, c.events...)
		if counts.failed != 1 {
			t.Errorf("%s: %d failures, want 1", name, counts.failed)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: printed\n%swant %q in it", name, out, want)
			}
		}
	}
}

func TestEachFailedPackageCounts(t *testing.T) {
	counts, _ := tallied(t,
		`{"Action":"fail","Package":"p","Test":"TestA"}`,
		`{"Action":"fail","Package":"p"}`,
		`{"Action":"output","Package":"q","Output":"panic\n"}`,
		`{"Action":"fail","Package":"q"}`,
	)
	if counts.failed != 2 {
		t.Errorf("%d failures, want the test of p and the package q", counts.failed)
	}
}

func TestMessagesOfTheGoCommandPass(t *testing.T) {
	if _, out := tallied(t, `no Go files in /nowhere`); out != "no Go files in /nowhere\n" {
		t.Errorf("printed %q", out)
	}
}

func TestRecordAppends(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results")
	for _, name := range []string{"native", "js/wasm"} {
		counts, _ := tallied(t, `{"Action":"pass","Package":"p","Test":"TestA"}`)
		if err := counts.record(file, name); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if want := "native 1 0 0\njs/wasm 1 0 0\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if err := newTally(os.Stdout).record("", "x"); err != nil {
		t.Errorf("without a file: %v", err)
	}
}
