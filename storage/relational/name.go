package relational

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// maxName is how many bytes of an identifier Postgres looks at.
const maxName = 63

// Name returns the identifier for what has a name of its own in the node: that name, where it
// can be one, else something like it. Those for which taken is true are avoided; SQLite
// does not tell apart the case of ASCII letters, so taken is asked in lower case.
func Name(name string, taken func(lower string) bool) string {
	if usable(name) && !taken(strings.ToLower(name)) {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	readable := strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "")
	for len(readable) > maxName-len("_01234567_12") {
		_, size := utf8.DecodeLastRuneInString(readable)
		readable = readable[:len(readable)-size]
	}
	for n := 0; ; n++ {
		out := fmt.Sprintf("x%s_%08x", readable, h.Sum32())
		if n > 0 {
			out += fmt.Sprintf("_%d", n)
		}
		if !taken(strings.ToLower(out)) {
			return out
		}
	}
}

// usable says whether a name can be an identifier of its own: the underscore is that of the
// engines' tables and columns, and sqlite_ and pg_ belong to the databases.
func usable(name string) bool {
	lower := strings.ToLower(name)
	return name != "" && len(name) <= maxName && storable(name) && name[0] != '_' &&
		!strings.HasPrefix(lower, "sqlite_") && !strings.HasPrefix(lower, "pg_") && lower != "id"
}
