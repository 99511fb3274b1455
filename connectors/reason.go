package connectors

import (
	"strings"
	"unicode/utf8"
)

// MaxReason is how many bytes of the reason given to Conn.Close reach the peer.
const MaxReason = 120

// TrimReason returns what connectors send of a reason: valid UTF-8, no line breaks,
// and at most MaxReason bytes, cut at the end of a character.
func TrimReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "�")
	reason = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, reason)
	if len(reason) <= MaxReason {
		return reason
	}
	end := MaxReason
	for end > 0 && !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
