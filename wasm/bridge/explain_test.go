package bridge_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

func TestExplainSaysHowASelectionIsRead(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	p.commitAlbums(1, albumRow("a", 1), albumRow("b", 2), albumRow("c", 3))
	got := p.ask(&frame.Explain{Request: p.next(), Collection: "album", Text: "year > ? ORDER BY name LIMIT 1", Params: frame.Params{
		Positional: []frame.Param{{Value: value.Int(1)}},
	}}).(*frame.Explained)
	if got.Returned != 1 || got.Rows < 1 || got.Rows > 3 || got.Plan == "" || got.Method == "" || !got.More || got.Micros < 0 {
		t.Errorf("explained as %+v", got)
	}
	for text, place := range map[string]int{"yaer = 1": 0, "year = = 1": 7} {
		err := p.refused(&frame.Explain{Request: p.next(), Collection: "album", Text: text})
		if err.Code != "selection" || err.Place == nil || err.Place.Offset != place {
			t.Errorf("%s: refused with %+v", text, err)
		}
	}
	if err := p.refused(&frame.Explain{Request: p.next(), Collection: "song"}); err.Code != "schema" {
		t.Errorf("of no model: %+v", err)
	}
}
