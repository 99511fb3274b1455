package lint

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The scenarios of the catalogue of behaviour that docs/testing.md says the tests of.
const firstScenario, lastScenario = 101, 247

var (
	numbers = regexp.MustCompile(`\b(\d{3})(?:(?: to |–)(\d{3}))?\b`)
	quoted  = regexp.MustCompile("`([^`]+)`")
)

// Every scenario has a row in the table of docs/testing.md, and one of the files of that row
// names it.
func TestScenariosHaveTests(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "../../docs/testing.md"), "| scenarios | about | tested in |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[int]string{}
	for line := range strings.SplitSeq(table, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for n := range numbersIn(cells[1]) {
				rows[n] += cells[3]
			}
		}
	}
	texts := map[string]map[int]bool{}
	for n := firstScenario; n <= lastScenario; n++ {
		files := quoted.FindAllStringSubmatch(rows[n], -1)
		found := false
		for _, f := range files {
			if texts[f[1]] == nil {
				texts[f[1]] = numbersIn(comments(read(t, filepath.Join("../..", f[1]))))
			}
			found = found || texts[f[1]][n]
		}
		if !found {
			t.Errorf("scenario %d: none of %v names it", n, files)
		}
	}
}

// named returns the numbers in a text, those between two that a range names too.
func numbersIn(text string) map[int]bool {
	all := map[int]bool{}
	for _, m := range numbers.FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(m[1])
		to := from
		if m[2] != "" {
			to, _ = strconv.Atoi(m[2])
		}
		for n := from; n <= to; n++ {
			all[n] = true
		}
	}
	return all
}

// mention is where a file may name a scenario: comments, names of tests and cases.
var mention = regexp.MustCompile(`(?m)(//|^#) .*$|Number: +\d+|\{\d{3}, |"\d{3}[^"]*"|Scenario_\d+`)

func comments(text string) string {
	return strings.ReplaceAll(strings.Join(mention.FindAllString(text, -1), "\n"), "Scenario_", "Scenario ")
}
