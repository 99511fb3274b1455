package ankurah_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/storage/memory"
)

type Artist struct {
	Name string `ankurah:"name"`
}

// Everything has a field of every type that a property can have.
type Everything struct {
	Text   string              `ankurah:"text,text"`
	Note   *string             `ankurah:"note"`
	Yes    bool                `ankurah:"yes"`
	Count  int                 `ankurah:"count"`
	Small  uint16              `ankurah:"small"`
	Ratio  float64             `ankurah:"ratio"`
	Blob   []byte              `ankurah:"blob"`
	At     time.Time           `ankurah:"at"`
	Until  *time.Time          `ankurah:"until"`
	Artist ankurah.Ref[Artist] `ankurah:"artist"`
	Genre  string              `ankurah:"genre,enum=rock|jazz"`
	Meta   map[string]any      `ankurah:"meta,json"`
	Tags   []string            `ankurah:"tags,json"`
}

func (Everything) Collection() string { return "all-of-it" }

// TestModelRoundTrip: what is created is what is read, for every type.
func TestModelRoundTrip(t *testing.T) {
	ctx := t.Context()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	must(t, err)
	defer node.Close()
	must(t, node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)
	tx := c.Begin()
	muse, err := ankurah.Create(tx, &Artist{Name: "Muse"})
	must(t, err)
	note := "a note"
	want := Everything{Text: "héllo", Note: &note, Yes: true, Count: -7, Small: 65535, Ratio: 0.5, Blob: []byte{0, 1},
		At: time.UnixMicro(1_700_000_000_000_001).UTC(), Artist: muse, Genre: "rock",
		Meta: map[string]any{"a": float64(1), "b": []any{"x", nil}}, Tags: []string{"x", "y"}}
	ref, err := ankurah.Create(tx, &want)
	must(t, err)
	_, err = tx.Commit(ctx)
	must(t, err)

	view, err := ankurah.Get[Everything](ctx, c, ref.EntityID)
	must(t, err)
	got := view.Value
	if got.Text != want.Text || *got.Note != note || !got.Yes || got.Count != -7 || got.Small != 65535 || got.Ratio != 0.5 ||
		string(got.Blob) != "\x00\x01" || !got.At.Equal(want.At) || got.Until != nil || got.Artist != muse || got.Genre != "rock" ||
		len(got.Meta) != 2 || got.Meta["a"] != float64(1) || len(got.Tags) != 2 {
		t.Fatalf("got %+v", got)
	}

	tx = c.Begin()
	must(t, ankurah.Update(ctx, tx, ref.EntityID, func(e *Everything) error {
		e.Note, e.Count, e.Artist = nil, 8, ankurah.Ref[Artist]{}
		return nil
	}))
	_, err = tx.Commit(ctx)
	must(t, err)
	found, err := ankurah.Fetch[Everything](ctx, c, "note IS NULL AND artist IS NULL AND count = ? AND meta.a = 1", 8)
	must(t, err)
	if len(found) != 1 || found[0].ID() != ref.EntityID {
		t.Fatalf("found %v", found)
	}
	found, err = ankurah.Fetch[Everything](ctx, c, "artist = ?", muse)
	must(t, err)
	if len(found) != 0 {
		t.Fatalf("found %v", found)
	}
}

type Unmappable struct {
	Ch chan int `ankurah:"ch"`
}

type Twice struct {
	A int `ankurah:"a"`
	B int `ankurah:"a"`
}

// TestBadModels: a struct that cannot be a model is refused with the field's name.
func TestBadModels(t *testing.T) {
	if _, err := ankurah.ModelOf[Unmappable](); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("chan: %v", err)
	}
	if _, err := ankurah.ModelOf[Twice](); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("twice: %v", err)
	}
	if _, err := ankurah.ModelOf[int](); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("int: %v", err)
	}
}

// TestSlowSubscriber: a subscriber that blocks gets a reset with the rows as they are, not
// a queue without end.
func TestSlowSubscriber(t *testing.T) {
	ctx := t.Context()
	node, err := ankurah.NewDurable(memory.New(), ankurah.Permissive())
	must(t, err)
	defer node.Close()
	must(t, node.CreateSystem(ctx))
	c := node.Context(ankurah.Anonymous)
	q, err := ankurah.Query[Artist](c, "ORDER BY name")
	must(t, err)
	defer q.Close()
	must(t, q.Wait(ctx, ankurah.QueryLive))
	gate, last := make(chan struct{}), make(chan int, 1)
	rows, resets := 0, 0
	defer q.Subscribe(func(ch ankurah.Changes[Artist]) {
		<-gate
		if ch.Reset {
			rows, resets = 0, resets+1
		}
		for _, x := range ch.Changes {
			if x.From < 0 {
				rows++
			}
		}
		if rows == 600 {
			last <- resets
		}
	})()
	for range 600 {
		tx := c.Begin()
		_, err := ankurah.Create(tx, &Artist{Name: "x"})
		must(t, err)
		_, err = tx.Commit(ctx)
		must(t, err)
	}
	close(gate)
	if resets := <-last; resets < 2 {
		t.Fatalf("%d resets", resets)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
