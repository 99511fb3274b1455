package lint

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tooBig are packages that the browser's binary must not reach, with what each would
// cost there (compressed), or what it would break.
var tooBig = map[string]string{
	"net/http":                         "450 KB and more; the browser has a fetch and a WebSocket of its own",
	"net":                              "there are no sockets in a browser",
	"encoding/json":                    "270 KB, and reflection on the hot path; core/value has a JSON reader",
	"encoding/gob":                     "220 KB, and reflection on the hot path",
	"encoding/xml":                     "nothing here is XML",
	"log/slog":                         "290 KB; a node tells its Listener",
	"text/template":                    "reflection",
	"html/template":                    "reflection",
	"regexp":                           "100 KB; the language has its own LIKE",
	"database/sql":                     "SQL lives on servers",
	"os/exec":                          "there are no processes in a browser",
	"testing":                          "tests are not shipped",
	"github.com/coder/websocket":       "it imports net/http; connectors/wsjs wraps the browser's own",
	"github.com/cockroachdb/pebble/v2": "it needs files; the browser has storage/indexeddb",
	"github.com/vmihailenco/msgpack":   "reflection; internal/msgpack encodes by hand",
}

// portable are the packages that can end in a browser's binary.
var portable = []string{
	"./ankql/...", "./proto/...", "./signals/...", "./core/...", "./wasm/...",
	"./storage", "./storage/kv", "./storage/plan", "./storage/memory", "./storage/indexeddb",
	"./connectors", "./connectors/local", "./connectors/wsjs", ".",
}

// paidFor are packages that a portable one may reach all the same, with the reason.
var paidFor = map[string]string{
	". encoding/json": "fields of a Go struct with the option json; the prebuilt binary does not have the facade",
}

func TestBrowserBinaryStaysSmall(t *testing.T) {
	for _, p := range list(t, "js/wasm", present(portable)...) {
		if isKit(p.path()) || inModule(p.ImportPath) == "" {
			continue
		}
		for _, dep := range p.Deps {
			for bad, reason := range tooBig {
				if paidFor[p.path()+" "+dep] != "" {
					continue
				}
				if dep == bad || strings.HasPrefix(dep, bad+"/v") {
					t.Errorf("%s reaches %s under js/wasm: %s", p.path(), dep, reason)
				}
			}
		}
	}
}

// javascript are the folders that may speak to JavaScript.
var javascript = []string{"wasm", "storage/indexeddb", "connectors/wsjs"}

func TestOnlyTheEdgesSpeakToJavaScript(t *testing.T) {
	for _, file := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(file))
		if slices.ContainsFunc(javascript, func(edge string) bool { return under(dir, edge) }) || under(dir, "wasm/bridge") || isKit(dir) {
			continue
		}
		for _, path := range importsOf(t, file) {
			if path == "syscall/js" || strings.HasPrefix(path, "github.com/hack-pad/") {
				t.Errorf("%s imports %s; only %s may, so that everything else runs and is tested natively", file, path, strings.Join(javascript, ", "))
			}
		}
	}
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// present returns those of the patterns whose folder exists.
func present(patterns []string) []string {
	return slices.DeleteFunc(slices.Clone(patterns), func(pattern string) bool {
		_, err := os.Stat(filepath.Join("../..", strings.TrimSuffix(pattern, "/...")))
		return err != nil
	})
}
