package bridge

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// TestBuiltSelectionsAreThoseWritten reads what TypeScript's query builder makes beside texts
// that say the same: js/test/query.test.ts writes the file, one pair of subscriptions a line.
func TestBuiltSelectionsAreThoseWritten(t *testing.T) {
	file, err := os.ReadFile("testdata/selections.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("line %q has %d fields", line, len(fields))
		}
		t.Run(fields[0], func(t *testing.T) {
			written, built := selectionOf(t, fields[1]), selectionOf(t, fields[2])
			if !ankql.Equal(written, built) {
				t.Errorf("written %s\nbuilt   %s", written, built)
			}
		})
	}
}

// selectionOf parses the selection of a frame with a subscription.
func selectionOf(t *testing.T, frameHex string) *ankql.Selection {
	t.Helper()
	bytes, err := hex.DecodeString(frameHex)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range frame.Decode(bytes) {
		if err != nil {
			t.Fatal(err)
		}
		subscribe := m.(*frame.Subscribe)
		selection, err := parse(subscribe.Text, subscribe.Params)
		if err != nil {
			t.Fatalf("%s: %v", subscribe.Text, err)
		}
		return selection
	}
	t.Fatal("an empty frame")
	return nil
}
