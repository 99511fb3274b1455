package browsertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built holds the paths of the compiled testdata/program and of its support script.
var built struct{ wasm, wasmExec string }

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "browsertest-program-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built.wasm = filepath.Join(dir, "program.wasm")
	build := exec.Command("go", "build", "-o", built.wasm, "./testdata/program")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build testdata/program: %w\n%s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return 0, err
	}
	built.wasmExec = filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	return m.Run(), nil
}

// program returns the options to run testdata/program.
func program(args ...string) Options {
	return Options{Wasm: built.wasm, WasmExec: built.wasmExec, Args: args}
}

// run runs o and returns its exit code and what it wrote.
func run(t *testing.T, ctx context.Context, o Options) (code int, stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	o.Stdout, o.Stderr = &out, &errs
	code, err = Run(ctx, o)
	return code, out.String(), errs.String(), err
}

func TestRunReportsItsHost(t *testing.T) {
	for _, c := range []struct {
		host                       Host
		document, shared, isolated string
	}{
		{Page, "true", "false", "true"},
		{Worker, "false", "false", "true"},
		{SharedWorker, "false", "true", "false"}, // Chromium isolates no SharedWorker
	} {
		t.Run(string(c.host), func(t *testing.T) {
			o := program("report", "two words")
			o.Host = c.host
			o.Env = []string{"ANKURAH_TEST=a=b"}
			code, stdout, stderr, err := run(t, t.Context(), o)
			if err != nil || code != 0 {
				t.Fatalf("code %d, error %v\n%s", code, err, stderr)
			}
			want := "args [report two words]\nenv a=b\ndocument " + c.document + "\nshared " + c.shared +
				"\nisolated " + c.isolated +
				"\nsecure true\nindexedDB true\nfiles false\n"
			if stdout != want {
				t.Errorf("stdout:\n%swant:\n%s", stdout, want)
			}
			if stderr != "to stderr\n" {
				t.Errorf("stderr: %q", stderr)
			}
		})
	}
}

func TestRunReturnsExitCode(t *testing.T) {
	code, _, _, err := run(t, t.Context(), program("exit"))
	if err != nil || code != 7 {
		t.Errorf("code %d, error %v", code, err)
	}
	code, _, stderr, err := run(t, t.Context(), program("panic"))
	if err != nil || code != 2 || !strings.Contains(stderr, "panic: as asked") {
		t.Errorf("code %d, error %v\n%s", code, err, stderr)
	}
}

func TestRunShowsConsole(t *testing.T) {
	code, _, stderr, err := run(t, t.Context(), program("console"))
	if err != nil || code != 0 || !strings.Contains(stderr, "console.warning: to the console 42") {
		t.Errorf("code %d, error %v\n%s", code, err, stderr)
	}
}

func TestRunFailsWithoutAnEnd(t *testing.T) {
	for _, c := range []struct{ does, want string }{
		{"throw", "thrown in the page"},
		{"leave", "went away"},
	} {
		t.Run(c.does, func(t *testing.T) {
			_, _, _, err := run(t, t.Context(), program(c.does))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

// cancelWriter cancels when it is written to.
type cancelWriter struct{ cancel context.CancelFunc }

func (w cancelWriter) Write(p []byte) (int, error) { w.cancel(); return len(p), nil }

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := program("hang")
	o.Stdout = cancelWriter{cancel}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := program("exit")
	if _, _, _, err := run(t, t.Context(), o); err != nil {
		t.Fatal(err)
	}
	profiles, err := filepath.Glob(filepath.Join(os.TempDir(), "browsertest-*"))
	if err != nil || len(profiles) != 0 {
		t.Errorf("left behind: %v %v", profiles, err)
	}
}

func TestRunRefusesBadOptions(t *testing.T) {
	o := program("exit")
	o.Host = "moon"
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("host moon: no error")
	}
	o = program("exit")
	o.Chromium = "/nonexistent"
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("missing browser: %v", err)
	}
	o = program("exit")
	o.Wasm = "/nonexistent"
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("missing program: no error")
	}
}

func TestSiteAnswersOwnRoutesFirst(t *testing.T) {
	o := Options{Routes: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("extra " + r.URL.Path))
	})}
	s := newSite(&o, "http://127.0.0.1:1")
	for path, want := range map[string]string{"/": "<!doctype html>", "/data": "extra /data"} {
		w := httptest.NewRecorder()
		r, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.ServeHTTP(w, r)
		if !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %q", path, w.Body.String())
		}
		if w.Header().Get("Cross-Origin-Embedder-Policy") != "require-corp" {
			t.Errorf("%s: not isolated: %v", path, w.Header())
		}
	}
}
