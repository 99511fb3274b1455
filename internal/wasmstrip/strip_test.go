package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func build(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program.wasm")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "./testdata/program")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestStrippedProgramRuns: panics, recovery, deep stacks, garbage collection and timers
// work in a stripped binary, which is smaller by a tenth at least once compressed.
func TestStrippedProgramRuns(t *testing.T) {
	module := build(t)
	stripped, err := Strip(module)
	if err != nil {
		t.Fatal(err)
	}
	if before, after := gzipped(t, module), gzipped(t, stripped); after > before*9/10 {
		t.Errorf("%d bytes compressed, were %d", after, before)
	}
	want, got := output(t, module), output(t, stripped)
	if !strings.HasPrefix(want, "done ") || got != want {
		t.Fatalf("stripped it says %q, as built %q", got, want)
	}
}

// output returns what a module prints under Node.js.
func output(t *testing.T, module []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main.wasm")
	if err := os.WriteFile(path, module, 0o666); err != nil {
		t.Fatal(err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec")
	text, err := exec.Command(node, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text)
}

func gzipped(t *testing.T, b []byte) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// TestUnknownFormIsRefused: what is not a binary with the tables of this Go release is an
// error, never a broken binary.
func TestUnknownFormIsRefused(t *testing.T) {
	module := build(t)
	for name, bad := range map[string][]byte{
		"empty":     nil,
		"text":      []byte("hello"),
		"truncated": module[:len(module)/2],
		"no table":  appendSections([]section{{sectionData, appendData([]byte("some data"))}}),
	} {
		if _, err := Strip(bad); !errors.Is(err, errFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDataRoundTrip: joining segments changes no byte of memory.
func TestDataRoundTrip(t *testing.T) {
	memory := make([]byte, 5000)
	for _, at := range []int{3, 700, 701, 1300, 4999} {
		memory[at] = byte(at) | 1
	}
	back, err := readData(appendData(memory))
	if err != nil || !bytes.Equal(back, memory) {
		t.Fatalf("%v", err)
	}
}
