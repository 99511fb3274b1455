package ankql

import (
	"strings"

	"github.com/ankurah-go/ankurah/core/schema"
)

// names returns what the properties of m are called.
func names(m *schema.Model) []string {
	list := make([]string, 0, len(m.Properties)+2)
	for i := range m.Properties {
		list = append(list, m.Properties[i].Name)
	}
	return append(list, schema.ID, schema.Sync)
}

// nearest returns the candidate that is most like name, or "" if none is like it: the same
// but for case, or a third of its characters or less apart.
func nearest(name string, candidates []string) string {
	if len(name) > schema.MaxNameLen {
		return ""
	}
	wanted := []rune(strings.ToLower(name))
	best, bestDistance := "", max(1, len(wanted)/3)+1
	for _, candidate := range candidates {
		d := editDistance(wanted, []rune(strings.ToLower(candidate)))
		if d < bestDistance && d < len(wanted) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and exchanges of neighbours
// that make a of b (optimal string alignment).
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
