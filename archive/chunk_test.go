package archive_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample writes an archive that has everything which the format has.
func sample(t testing.TB, compression archive.Compression) []byte {
	t.Helper()
	w := storagetest.NewWorld(9)
	feed := id.NodeID{ULID: w.Transaction().ULID}
	ev, rec := w.Create("album", proto.Field{Name: "name", Value: value.String("Origin of Symmetry")})
	edit, edited := w.Edit(rec, proto.Field{Name: "year", Value: value.Int(2001)})
	h := &archive.Header{
		Archive: w.Transaction().ULID, Created: time.Unix(1_700_000_000, 123_000).UTC(),
		Store: id.StoreID{ULID: w.Transaction().ULID}, System: w.Entity(),
		Feeds: []archive.FeedPosition{{Feed: feed, Seq: 1}}, Meta: []storage.MetaEntry{{Key: "key", Value: []byte("value")}},
	}
	var out bytes.Buffer
	writer, err := archive.NewWriter(&out, h, archive.WriterOptions{Compression: compression})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	cursor := archive.Cursor{Last: storage.EventKey{Entity: rec.Entity}}
	add := func(item archive.Item) {
		if err := writer.Add(&item, cursor); err != nil {
			t.Fatal(err)
		}
	}
	add(archive.Item{Record: rec})
	cursor.Last.Event = ev.ID
	add(archive.Item{Event: ev})
	cursor.Walked = true
	if err := writer.Move(cursor); err != nil {
		t.Fatal(err)
	}
	for seq, e := range []*proto.Event{ev, edit} {
		change := proto.Change{Collection: "album", Entity: rec.Entity, Rev: uint64(seq + 1), Before: e.Parents, After: proto.Clock{e.ID}, Events: []id.EventID{e.ID}}
		if seq == 1 {
			add(archive.Item{Event: e})
			add(archive.Item{Record: edited})
			change.Undo = []proto.Field{{Name: "year", Value: value.Null}}
		}
		cursor.Feeds = []archive.FeedPosition{{Feed: feed, Seq: uint64(seq + 1)}}
		add(archive.Item{Feed: feed, Entry: &proto.FeedEntry{Seq: uint64(seq + 1), Transaction: w.Transaction(), Changes: []proto.Change{change}}})
	}
	if err := writer.Mark(time.Unix(1_700_000_001, 0)); err != nil {
		t.Fatal(err)
	}
	if err := writer.End(); err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != writer.Offset() {
		t.Errorf("%d bytes, and the writer says %d", out.Len(), writer.Offset())
	}
	return out.Bytes()
}

// The form of an archive does not change unnoticed: what the first release wrote is read by
// every later one, and written like that as long as the version is the same.
func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", "sample-v1.ankarch")
	got := sample(t, archive.Uncompressed)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the form has changed: %d bytes, want %d; a new form needs a new version", len(got), len(want))
	}
	// How zstd packs may change, what it unpacks to may not.
	for _, file := range [][]byte{want, sample(t, archive.Zstandard)} {
		r, err := archive.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if h := r.Header(); len(h.Feeds) != 1 || h.Feeds[0].Seq != 1 || h.Created.Year() != 2023 || string(h.Meta[0].Value) != "value" {
			t.Errorf("header: %+v", h)
		}
		var kinds string
		for {
			chunk, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch c := chunk.(type) {
			case *archive.Data:
				kinds += "D"
				for i := range c.Items {
					switch item := c.Items[i]; {
					case item.Record != nil:
						kinds += "r"
					case item.Event != nil:
						kinds += "e"
					default:
						kinds += "f"
					}
				}
			case *archive.Mark:
				kinds += "M"
			case *archive.End:
				kinds += "E"
			}
		}
		if kinds != "DreDDferfME" {
			t.Errorf("it has %s", kinds)
		}
		if c := r.Counts(); c != (archive.Counts{Records: 2, Events: 2, Entries: 2}) {
			t.Errorf("counts: %+v", c)
		}
	}
}

// Whatever it is given, a reader ends with an error that says where, or with what a writer
// wrote.
func FuzzReader(f *testing.F) {
	for _, compression := range []archive.Compression{archive.Uncompressed, archive.Zstandard} {
		whole := sample(f, compression)
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := archive.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		defer r.Close()
		for {
			_, err := r.Next()
			if errors.Is(err, io.EOF) {
				if r.Offset() != int64(len(b)) {
					t.Errorf("ended at %d of %d", r.Offset(), len(b))
				}
				return
			}
			var where *archive.DamageError
			if errors.As(err, &where) {
				if where.Offset < 0 || where.Offset > int64(len(b)) {
					t.Errorf("at byte %d of %d", where.Offset, len(b))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzPayload is FuzzReader behind the checksums: items that a hostile archive may hold.
func FuzzPayload(f *testing.F) {
	f.Add([]byte{0x94})
	f.Add(sample(f, archive.Uncompressed)[200:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		file := archive.Sealed(sample(t, archive.Uncompressed), payload)
		r, err := archive.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Next(); err != nil && !errors.Is(err, archive.ErrDamaged) {
			t.Fatal(err)
		}
	})
}
