package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents returns the pages of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	return pages
}

// snippet finds Go code in a page, with the file it comes from in a comment before it.
var snippet = regexp.MustCompile("(?s)(?:<!-- (\\S+) -->\n)?```go\n(.*?)```")

// Go code in the pages is code of a file that is compiled and tested. A line of … stands
// for lines that the page leaves out.
func TestGoCodeInDocumentsIsThatOfExamples(t *testing.T) {
	for _, page := range documents(t) {
		text := read(t, page)
		for _, match := range snippet.FindAllStringSubmatch(text, -1) {
			source, lines := match[1], match[2]
			if source == "" {
				t.Errorf("%s: Go code without <!-- the file it is from --> before it:\n%s", page, lines)
				continue
			}
			rest := read(t, filepath.Join("../..", source))
			for part := range strings.SplitSeq(lines, "\t…\n") {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("%s: %s does not contain, in this order:\n%s", page, source, part)
					break
				}
				rest = after
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)

func TestLinksBetweenDocumentsLead(t *testing.T) {
	for _, page := range documents(t) {
		prose := code.ReplaceAllString(read(t, page), "")
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			target := match[1]
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
		}
	}
}

// path is a file or folder of the repository as pages name it.
var path = regexp.MustCompile("`((?:core|storage|connectors|wasm|js|react|server|examples|internal|proto|ankql|signals|docs)/[a-z0-9/_.-]*)`")

func TestPathsInDocumentsExist(t *testing.T) {
	built := regexp.MustCompile(`(^|/)dist(/|$)`)
	for _, page := range documents(t) {
		for _, match := range path.FindAllStringSubmatch(read(t, page), -1) {
			if built.MatchString(match[1]) {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", match[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, match[1])
			}
		}
	}
}

// named is a test that a page names as the proof of something.
var named = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`")

func TestTestsInDocumentsExist(t *testing.T) {
	tests := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test[A-Z][A-Za-z0-9]*)\(`)
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			for _, match := range declared.FindAllStringSubmatch(read(t, path), -1) {
				tests[match[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range documents(t) {
		for _, match := range named.FindAllStringSubmatch(read(t, page), -1) {
			if !tests[match[1]] {
				t.Errorf("%s names %s, which is not there", page, match[1])
			}
		}
	}
}

func TestMakeTargetsInDocumentsExist(t *testing.T) {
	makefile := read(t, "../../Makefile")
	target := regexp.MustCompile("make ([a-z][a-z0-9-]*)")
	for _, page := range documents(t) {
		for _, text := range code.FindAllString(read(t, page), -1) {
			for _, match := range target.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(makefile, "\n"+match[1]+":") {
					t.Errorf("%s names `make %s`, which is not a target", page, match[1])
				}
			}
		}
	}
}

// code is what a page has between backquotes.
var code = regexp.MustCompile("(?s)```[a-z]*\n.*?```|`[^`\n]+`")

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
