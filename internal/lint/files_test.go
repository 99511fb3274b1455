package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goFiles returns the Go files of the module, with slashes, relative to its root;
// testdata and nested modules are left out.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "node_modules" || name == "testdata" || name == "dist" || (strings.HasPrefix(name, ".") && name != "..") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != "../.." {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			rel, err := filepath.Rel("../..", path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// vague are names that say nothing: such a file becomes the place for everything.
var vague = []string{"util", "utils", "helper", "helpers", "common", "types", "misc", "shared", "stuff", "base"}

var fileName = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*\.go$`)

func TestFilesAreNamedByNounsOfTheDomain(t *testing.T) {
	for _, file := range goFiles(t) {
		name := filepath.Base(file)
		if !fileName.MatchString(name) {
			t.Errorf("%s: file names are lower case words joined by underscores", file)
		}
		words := strings.Split(strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test"), "_")
		if slices.Contains(vague, words[0]) {
			t.Errorf("%s: name the file by what is in it", file)
		}
	}
}

func TestPackagesAreNamedByOneConcept(t *testing.T) {
	for _, p := range everyPlatform(t) {
		if slices.Contains(vague, p.Name) {
			t.Errorf("%s: name the package by its concept", p.path())
		}
		if p.Name != "main" && !strings.HasPrefix(p.Doc, "Package "+p.Name+" ") {
			t.Errorf("%s: the package comment begins with %q, want \"Package %s …\"", p.path(), firstWords(p.Doc), p.Name)
		}
		if p.Name == "main" && p.Doc == "" {
			t.Errorf("%s: a program says in its package comment what it does", p.path())
		}
	}
}

func TestPackagesWithLocksSayHowTheyAreUsedConcurrently(t *testing.T) {
	for _, p := range everyPlatform(t) {
		if p.Name == "main" || isKit(p.path()) || !slices.Contains(p.Imports, "sync") {
			continue
		}
		if !strings.Contains(packageComment(t, p), "# Concurrency") {
			t.Errorf("%s uses locks; its package comment needs a section \"# Concurrency\"", p.path())
		}
	}
}

// packageComment returns the whole comment; go list gives its first sentence only.
func packageComment(t *testing.T, p *pkg) string {
	t.Helper()
	var comment strings.Builder
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		comment.WriteString(f.Doc.Text())
	}
	return comment.String()
}

func firstWords(doc string) string {
	words := strings.Fields(doc)
	return strings.Join(words[:min(3, len(words))], " ")
}

// starters are the files below core that may start goroutines: every goroutine has an
// owner, a stop and a wait, and those are easier to get right in one place.
var starters = []string{"core/run.go"}

func TestCoreStartsGoroutinesInOnePlace(t *testing.T) {
	for _, file := range goFiles(t) {
		if !under(file, "core") || strings.HasSuffix(file, "_test.go") || slices.Contains(starters, file) || isKit(filepath.Dir(file)) {
			continue
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, filepath.Join("../..", file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s:%d: a go statement; only %s starts goroutines", file, files.Position(g.Pos()).Line, strings.Join(starters, ", "))
			}
			return true
		})
	}
}
