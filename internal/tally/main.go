// Command tally makes the output of `go test -json` short: a line for each package,
// the whole output of what failed, and the seeds of fuzz and random tests that did.
// With -results it appends one line "name passed failed skipped" to a file, from which
// scripts/test makes the summary of a run.
//
//	go test -json ./... | go run ./internal/tally -name unit -results FILE
//
// It exits with 1 if anything failed, or if there was no test at all.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	name := flag.String("name", "go", "what the tests are called in the results")
	results := flag.String("results", "", "file to append the counts to")
	flag.Parse()

	t := newTally(os.Stdout)
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	t.finish()
	if err := t.record(*results, *name); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	if t.failed > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

// event is one line of `go test -json`, as `go doc test2json` describes it.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

type tally struct {
	out     io.Writer
	output  map[string][]string // by package and test, until it is known how it ended
	perPkg  map[string]int      // tests that passed
	broken  map[string]bool     // packages of which a test failed
	passed  int
	failed  int
	skipped []string
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, output: map[string][]string{}, perPkg: map[string]int{}, broken: map[string]bool{}}
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				t.add(e)
			} else {
				t.out.Write(line) // a message of the go command itself
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) add(e event) {
	key := e.Package + e.ImportPath + "\x00" + e.Test
	switch e.Action {
	case "output", "build-output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			t.endTest(key, e)
		} else {
			t.endPackage(key, e)
		}
		delete(t.output, key)
	}
}

func (t *tally) endTest(key string, e event) {
	switch e.Action {
	case "pass":
		t.passed++
		t.perPkg[e.Package]++
	case "skip":
		t.skipped = append(t.skipped, e.Package+" "+e.Test)
	case "fail":
		t.failed++
		t.broken[e.Package] = true
		fmt.Fprintf(t.out, "FAIL %s %s\n", e.Package, e.Test)
		t.print(key)
	}
}

func (t *tally) endPackage(key string, e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(t.out, "ok   %-58s %4d tests %7.2fs\n", e.Package, t.perPkg[e.Package], e.Elapsed)
	case "fail":
		if !t.broken[e.Package] { // else its tests have said why, and are counted
			t.failed++
		}
		fmt.Fprintf(t.out, "FAIL %s\n", e.Package)
		if e.FailedBuild != "" {
			t.print(e.FailedBuild + "\x00")
		}
		t.print(key)
	}
}

func (t *tally) print(key string) {
	for _, line := range t.output[key] {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(t.out, "     ", line)
		}
	}
}

// finish prints the output of what never ended: tests that were killed.
func (t *tally) finish() {
	var open []string
	for key := range t.output {
		if _, test, _ := strings.Cut(key, "\x00"); test != "" {
			open = append(open, key)
		}
	}
	slices.Sort(open)
	for _, key := range open {
		t.failed++
		fmt.Fprintf(t.out, "FAIL %s (did not end)\n", strings.ReplaceAll(key, "\x00", " "))
		t.print(key)
	}
	for _, s := range t.skipped {
		fmt.Fprintln(t.out, "skip", s)
	}
}

func (t *tally) record(path, name string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %d %d %d\n", name, t.passed, t.failed, len(t.skipped))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
