package paged

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// blockOf packs the entries of a map; the value "-" is a deletion.
func blockOf(entries map[string]string) *block {
	b := &block{}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		b.add([]byte(key), valueOf(entries[key]))
	}
	return b
}

func valueOf(s string) []byte {
	if s == "-" {
		return nil
	}
	return []byte(s)
}

func randomEntries(r *rand.Rand, n int) map[string]string {
	entries := map[string]string{}
	for range r.IntN(n) {
		value := fmt.Sprint(r.IntN(1000))
		if r.IntN(4) == 0 {
			value = "-"
		}
		entries[string(history{Rand: r, space: 60}.key())] = value
	}
	return entries
}

func TestSeekFindsThePlaceWhateverTheGuess(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := blockOf(randomEntries(r, 40))
		key := history{Rand: r, space: 60}.key()
		want := 0
		for want < b.len() && bytes.Compare(b.key(want), key) < 0 {
			want++
		}
		for near := range b.len() + 2 {
			if got := b.seek(key, near); got != want {
				t.Fatalf("seek %q near %d of %d: %d, want %d", key, near, b.len(), got, want)
			}
		}
	}
}

func TestOverlayShowsTheNewest(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		var o overlay
		want := map[string]string{}
		for range 20 {
			entries := randomEntries(r, 30)
			maps.Copy(want, entries)
			o = o.with(blockOf(entries))
		}
		for key, value := range want {
			got, found := o.find([]byte(key), make([]int, len(o)))
			if !found || !bytes.Equal(got, valueOf(value)) || (got == nil) != (value == "-") {
				t.Fatalf("seed %d: %q is %q, %v, want %q", seed, key, got, found, value)
			}
		}
		for _, reverse := range []bool{false, true} {
			keys := slices.Sorted(maps.Keys(want))
			if reverse {
				slices.Reverse(keys)
			}
			it := newIterator(o, nil, nil, nil, reverse)
			for _, want := range keys {
				key, _, err := it.next()
				if err != nil || key == nil || string(key) != want {
					t.Fatalf("seed %d: the iterator shows %q, %v, want %q", seed, key, err, want)
				}
			}
			if key, _, _ := it.next(); key != nil {
				t.Fatalf("seed %d: %q after the end", seed, key)
			}
		}
	}
}

func TestOverlayStaysShallow(t *testing.T) {
	var o overlay
	for i := range 5000 {
		o = o.with(blockOf(map[string]string{fmt.Sprint(i * 7919 % 5000): "some value"}))
	}
	if len(o) > 10 {
		t.Errorf("%d blocks after 5000 small commits", len(o))
	}
}

func TestPackKeepsTheLastOfEqualKeys(t *testing.T) {
	w := &kv.Writes{Deletes: [][]byte{[]byte("d")}}
	for _, p := range []string{"b1", "a1", "b2", "c", "a2", "z"} {
		w.Puts = append(w.Puts, kv.Pair{Key: []byte(p[:1]), Value: []byte(p[1:])})
	}
	got := ""
	for _, b := range pack(w) {
		for i := range b.len() {
			key, value := b.entry(i)
			got += fmt.Sprintf("%s=%s(%v) ", key, value, value == nil)
		}
	}
	if want := "a=2(false) b=2(false) c=(false) d=(true) z=(false) "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPackBoundsItsChunks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := &kv.Writes{}
	for i := range 3000 {
		w.Puts = append(w.Puts, kv.Pair{Key: fmt.Append(nil, i), Value: make([]byte, r.IntN(300))})
	}
	w.Puts = append(w.Puts, kv.Pair{Key: []byte("large"), Value: make([]byte, 3*chunkBytes)})
	n := 0
	for _, b := range pack(w) {
		if len(b.data) > chunkBytes && b.len() > 1 {
			t.Errorf("a chunk of %d bytes with %d entries", len(b.data), b.len())
		}
		if _, sorted, err := parse(b.data); !sorted || err != nil {
			t.Errorf("a chunk is not in order: %v", err)
		}
		n += b.len()
	}
	if n != len(w.Puts) {
		t.Errorf("%d entries of %d", n, len(w.Puts))
	}
}

// What a journal says it has written is what its transactions have written, whichever
// of them were carried out without the journal knowing.
func TestJournalDescribesItsRecords(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		d := newMemoryDisk()
		var j journal
		want := []byte{}
		for i := range 300 {
			size := r.IntN(200)
			if r.IntN(60) == 0 {
				size = smallBytes + r.IntN(2*chunkBytes)
			}
			chunks := pack(&kv.Writes{Puts: []kv.Pair{{Key: fmt.Append(nil, i), Value: make([]byte, size)}}})
			next, tx := j.with(chunks)
			if r.IntN(10) == 0 { // it fails, and nobody knows how
				if r.IntN(2) == 0 {
					d.write(&tx)
				}
				j.uncertain = true
				continue
			}
			d.write(&tx)
			j = next
			want = append(want, chunks[0].data...)
			got := []byte{}
			for _, k := range d.keys(allLog) {
				got = append(got, d.records[k]...)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("seed %d, commit %d: the log has %d bytes, want %d", seed, i, len(got), len(want))
			}
			if n := len(d.keys(allLog)); uint64(n) != j.next-j.first || n > foldRecords+2*(1+len(want)/chunkBytes) {
				t.Fatalf("seed %d, commit %d: %d records for %d bytes, from %d to %d", seed, i, n, len(want), j.first, j.next)
			}
		}
		if j.uncertain {
			continue // the log may have what the journal has not
		}
		if j.bytes != len(want) {
			t.Errorf("the journal counts %d bytes of %d", j.bytes, len(want))
		}
		var found journal
		for i, k := range d.keys(allLog) {
			found.found(uint64(i), d.records[k])
		}
		if found.bytes != j.bytes || found.next != j.next {
			t.Errorf("found %d bytes up to %d, want %d up to %d", found.bytes, found.next, j.bytes, j.next)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendEntry(appendEntry(nil, []byte("a"), []byte("1")), []byte("b"), nil))
	f.Add(appendEntry(appendEntry(nil, []byte("b"), []byte{}), []byte("b"), nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseLog(data)
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		var again []byte
		for i := range b.len() {
			key, value := b.entry(i)
			if got, found, at := b.find(key, 0); !found || at != i || !bytes.Equal(got, value) {
				t.Fatalf("entry %d is not found", i)
			}
			if i > 0 && bytes.Compare(b.key(i-1), key) >= 0 {
				t.Fatalf("entry %d is out of order", i)
			}
			again = appendEntry(again, key, value)
		}
		if _, err := parsePage(again); err != nil {
			t.Fatalf("written again: %v", err)
		}
	})
}

func FuzzParseDirectory(f *testing.F) {
	f.Add([]byte{})
	f.Add((&directory{[][]byte{{}, []byte("a"), []byte("b")}}).append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDirectory(data)
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		for i, low := range d.lows {
			if d.locate(low) != i || !d.has(i, low) {
				t.Fatalf("page %d is not where its low is", i)
			}
		}
	})
}
