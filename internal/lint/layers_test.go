package lint

import (
	"slices"
	"strings"
	"testing"
)

// layers is the house, from the ground up. A package imports packages of the layers
// below its own; one beside it only as sideways allows. A folder stands for what is
// below it too, except for what has an entry of its own.
var layers = [][]string{
	{"internal/msgpack", "internal/sha256", "internal/entropy", "internal/invariant", "internal/leaktest", "internal/quota", "internal/chore", "signals"},
	{"core/id"},
	{"core/value"},
	{"core/schema"},
	{"ankql"},
	{"proto"},
	{"storage/plan", "core/resultset", "core/aggregate"},
	{"core/causal", "core/reactor", "core/presence", "core/policy", "core/peer", "storage", "connectors"},
	{"core/property", "policy", "storage/kv", "storage/relational"},
	{"core/entity", "storage/memory", "storage/faulty", "storage/sled-compat", "storage/indexeddb", "storage/tikv", "storage/postgres", "storage/sqlite", "storage/natswake",
		"connectors/local", "connectors/ws", "connectors/wsjs"},
	{"core", "core/verify"},
	{".", "wasm/frame", "archive"},
	{"wasm/bridge", "internal/sim", "examples/model"},
	{"wasm", "server", "internal/codegen"},
	{"cmd", "examples", "bench"},
}

// sideways are imports within a layer, each with its reason.
var sideways = map[string]string{
	"core/property/lww -> core/property": "a merge kind implements the interface of its family",
	"wasm -> wasm/port":                  "the program is its bridge on a port",
	"server/engine -> server/config":     "it opens the store that a setting names",
}

// kits are conformance kits and other help for tests and builds: production does not link them,
// and they may import whatever they test.
var kits = []string{
	"ankql/ankqltest", "storage/storagetest", "storage/kv/kvtest", "storage/tikv/tikvtest", "storage/natswake/natstest", "core/property/propertytest", "connectors/connectortest",
	"internal/leaktest", "internal/browsertest", "internal/tally", "internal/wasmstrip", "internal/lint", "internal/sim", "internal/pgtest", "internal/differential",
	"internal/wasmstrip",
}

// forbidden are edges that the layers would allow.
var forbidden = []struct{ from, to, reason string }{
	{"core/reactor", "core/entity", "the reactor does not know entities: it sees a row with an id, a collection and fields"},
	{"core/reactor", "storage", "the reactor does not fetch: its owner scans when a window runs short"},
	{"core/policy", "storage", "policy sees events, selections and fields before and after, not where they are kept"},
	{"core/policy", "connectors", "policy does not know nodes"},
	{"core/peer", "storage", "the peer turns frames into effects; core carries them out"},
	{"core/peer", "core/reactor", "the peer turns frames into effects; core carries them out"},
	{"core/peer", "connectors", "the peer has no sockets: frames in, effects out"},
	{"core/causal", "storage", "causal does not know where events live: it asks a Getter"},
	{"core/resultset", "storage", "a result set does not fetch: it says that it needs n rows after key k"},
	{"connectors", "storage", "a connector carries frames and nothing else"},
	{"connectors", "ankql", "a connector carries frames and nothing else"},
	{"storage", "connectors", "an engine keeps data and talks to no node"},
	{"storage", "core/policy", "an engine does not decide who may read"},
	{"core", "storage/memory", "core imports no engine: its user chooses one"},
	{"core", "storage/kv", "core imports no engine: its user chooses one"},
	{"core", "storage/sled-compat", "core imports no engine: its user chooses one"},
	{"core", "storage/indexeddb", "core imports no engine: its user chooses one"},
	{"core", "connectors/local", "core imports no connector: its user chooses one"},
	{"core", "connectors/ws", "core imports no connector: its user chooses one"},
	{"core", "connectors/wsjs", "core imports no connector: its user chooses one"},
	{".", "storage/memory", "the facade is thin: a program links only the engines that it names"},
	{".", "storage/sled-compat", "the facade is thin: a program links only the engines that it names"},
	{".", "connectors/ws", "the facade is thin: net/http would follow it into every browser binary"},
	{"wasm/bridge", "storage/indexeddb", "the bridge is tested natively: the program gives it an engine"},
	{"wasm/bridge", "connectors/wsjs", "the bridge is tested natively: the program gives it a dialer"},
}

func TestEveryPackageHasALayer(t *testing.T) {
	for _, p := range everyPlatform(t) {
		if layerOf(p.path()) < 0 && !isKit(p.path()) {
			t.Errorf("%s has no layer; add it to the table, and to docs/architecture.md", p.path())
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range everyPlatform(t) {
		from := p.path()
		if isKit(from) {
			continue
		}
		for _, imported := range p.Imports {
			to := inModule(imported)
			switch {
			case to == "":
			case isKit(to):
				t.Errorf("%s imports %s, which is only for tests", from, to)
			case layerOf(to) > layerOf(from):
				t.Errorf("%s imports %s, which is above it", from, to)
			case layerOf(to) == layerOf(from) && !besideAllowed(from, to):
				t.Errorf("%s imports %s, which is beside it; if that has a reason, it belongs into the table", from, to)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	for _, p := range everyPlatform(t) {
		from := p.path()
		for _, imported := range p.Imports {
			to := inModule(imported)
			for _, rule := range forbidden {
				if entryOf(from) == rule.from && to != "" && entryOf(to) == rule.to {
					t.Errorf("%s imports %s: %s", from, to, rule.reason)
				}
			}
		}
	}
}

func TestTablesNameEachOther(t *testing.T) {
	for _, rule := range forbidden {
		for _, path := range []string{rule.from, rule.to} {
			if entryOf(path) != path {
				t.Errorf("a forbidden edge names %q, which has no layer of its own", path)
			}
		}
		if rule.reason == "" {
			t.Errorf("%s -> %s has no reason", rule.from, rule.to)
		}
	}
}

// everyPlatform returns the packages of the module, with what they import natively and
// under js/wasm.
func everyPlatform(t *testing.T) []*pkg {
	byPath := map[string]*pkg{}
	for _, platform := range []string{"", "js/wasm"} {
		for _, p := range list(t, platform, "./...") {
			if known := byPath[p.ImportPath]; known != nil {
				known.Imports = append(known.Imports, p.Imports...)
			} else {
				byPath[p.ImportPath] = p
			}
		}
	}
	var pkgs []*pkg
	for _, p := range byPath {
		slices.Sort(p.Imports)
		p.Imports = slices.Compact(p.Imports)
		pkgs = append(pkgs, p)
	}
	slices.SortFunc(pkgs, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return pkgs
}

// layerOf returns the layer of a package, -1 if it has none.
func layerOf(path string) int {
	entry := entryOf(path)
	for i, layer := range layers {
		if slices.Contains(layer, entry) {
			return i
		}
	}
	return -1
}

// entryOf returns the entry of the table that stands for a package: the longest that
// it is, or is below.
func entryOf(path string) string {
	best := ""
	for _, layer := range layers {
		for _, entry := range layer {
			if under(path, entry) && len(entry) > len(best) {
				best = entry
			}
		}
	}
	return best
}

// besideAllowed reports whether an import within a layer is fine: within one folder's
// own family of internal packages, or by the table.
func besideAllowed(from, to string) bool {
	if _, ok := sideways[from+" -> "+to]; ok {
		return true
	}
	return from != to && entryOf(from) == entryOf(to) && (under(from, to+"/internal") || under(to, from))
}

func isKit(path string) bool {
	return slices.ContainsFunc(kits, func(kit string) bool { return under(path, kit) })
}
