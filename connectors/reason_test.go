package connectors_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/connectors"
)

func TestTrimReason(t *testing.T) {
	for _, c := range []struct{ name, reason, want string }{
		{"empty", "", ""},
		{"short", "going away", "going away"},
		{"exactly full", strings.Repeat("a", 120), strings.Repeat("a", 120)},
		{"too long", strings.Repeat("a", 121), strings.Repeat("a", 120)},
		{"cut before a character that does not fit", strings.Repeat("a", 119) + "é", strings.Repeat("a", 119)},
		{"cut after a character that fits", strings.Repeat("a", 118) + "éa", strings.Repeat("a", 118) + "é"},
		{"invalid UTF-8 is replaced", "a\xffb", "a\uFFFDb"},
		{"line breaks become spaces", "a\nb\rc", "a b c"},
	} {
		if got := connectors.TrimReason(c.reason); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzTrimReason(f *testing.F) {
	f.Add("plain")
	f.Add(strings.Repeat("ä€😀", 40))
	f.Add("\xff\xfe" + strings.Repeat("\x80", 200))
	f.Fuzz(func(t *testing.T, reason string) {
		got := connectors.TrimReason(reason)
		if len(got) > connectors.MaxReason || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n") {
			t.Errorf("TrimReason(%q) = %q", reason, got)
		}
		if again := connectors.TrimReason(got); again != got {
			t.Errorf("trimming twice changes %q to %q", got, again)
		}
	})
}
