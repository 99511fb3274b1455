package ankql_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
)

var rewrite = flag.Bool("rewrite", false, "write the outcomes into testdata/*.txt")

// TestScenarios runs testdata/*.txt: each paragraph is a selection, a line of dashes, and
// what becomes of it, its canonical text or the error. In check.txt it is checked against
// the models of album_test.go too. Lines that begin with # say what is shown.
func TestScenarios(t *testing.T) {
	for file, outcome := range map[string]func(string) (*ankql.Selection, error){
		"parse.txt": func(text string) (*ankql.Selection, error) { return ankql.Parse(text) },
		"check.txt": func(text string) (*ankql.Selection, error) {
			s, err := ankql.Parse(text)
			if err != nil {
				return nil, err
			}
			return s.CheckWith(albumModel, models)
		},
	} {
		t.Run(file, func(t *testing.T) { runScenarios(t, filepath.Join("testdata", file), outcome) })
	}
}

func runScenarios(t *testing.T, path string, outcome func(string) (*ankql.Selection, error)) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, paragraph := range strings.Split(strings.TrimSpace(string(content)), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		comment, input, want := splitScenario(paragraph)
		got := ""
		if s, err := outcome(input); err != nil {
			got = strings.TrimPrefix(err.Error(), "ankql: ")
		} else if got = s.String(); got == "" {
			got = "everything"
		}
		if got != want && !*rewrite {
			t.Errorf("%s\n%s\ngot  %s\nwant %s", comment, input, got, want)
		}
		out.WriteString(comment + input + "\n----\n" + got + "\n")
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scenarioInputs returns the selections of a file of scenarios.
func scenarioInputs(t testing.TB, file string) (inputs []string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, paragraph := range strings.Split(strings.TrimSpace(string(content)), "\n\n") {
		_, input, _ := splitScenario(paragraph)
		inputs = append(inputs, input)
	}
	return inputs
}

func splitScenario(paragraph string) (comment, input, want string) {
	for strings.HasPrefix(paragraph, "#") {
		line, rest, _ := strings.Cut(paragraph, "\n")
		comment += line + "\n"
		paragraph = rest
	}
	input, want, _ = strings.Cut(paragraph, "\n----")
	if strings.HasPrefix(paragraph, "----") {
		input, want = "", strings.TrimPrefix(paragraph, "----")
	}
	return comment, input, strings.TrimSpace(want)
}
