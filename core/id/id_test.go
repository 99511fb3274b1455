package id

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func random(rng *rand.Rand) ULID {
	var tail [8]byte
	for i := range tail {
		tail[i] = byte(rng.Uint32())
	}
	return Make(Stamp(rng.Uint64()), tail)
}

func TestTextAndBytesRoundTrip(t *testing.T) {
	trip := func(b [Size]byte) bool {
		u, err := FromBytes(b[:])
		if err != nil {
			return false
		}
		upper, err1 := Parse(u.String())
		lower, err2 := Parse(strings.ToLower(u.String()))
		text, err3 := u.MarshalText()
		var unmarshalled EventID
		err4 := unmarshalled.UnmarshalText(text)
		return errors.Join(err1, err2, err3, err4) == nil && len(u.String()) == TextSize &&
			upper == u && lower == u && unmarshalled.ULID == u &&
			u.Array() == b && bytes.Equal(u.Bytes(), b[:]) && bytes.Equal(u.AppendTo([]byte{7}), append([]byte{7}, b[:]...))
	}
	if err := quick.Check(trip, nil); err != nil {
		t.Error(err)
	}
}

// The order of ids is that of their bytes and of their text, and the stamp comes first.
func TestOrderIsTheBytesOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	ids := []ULID{{}, Make(MaxStamp, [8]byte{255, 255, 255, 255, 255, 255, 255, 255}), Make(0, [8]byte{7: 1}), Make(1, [8]byte{})}
	for range 60 {
		u := random(rng)
		near := u.Array()
		near[rng.IntN(Size)]++
		v, err := FromBytes(near[:])
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, u, v)
	}
	for _, u := range ids {
		for _, v := range ids {
			want := bytes.Compare(u.Bytes(), v.Bytes())
			if got := u.Compare(v); got != want {
				t.Fatalf("%s against %s is %d, their bytes say %d", u, v, got, want)
			}
			if got := strings.Compare(u.String(), v.String()); got != want {
				t.Fatalf("%s against %s is %d as text, and %d as bytes", u, v, got, want)
			}
			if c := cmp.Compare(u.Stamp(), v.Stamp()); c != 0 && c != want {
				t.Fatalf("%s against %s is %d, their stamps say %d", u, v, want, c)
			}
		}
	}
}

func TestMakeKeepsItsParts(t *testing.T) {
	for _, s := range []Stamp{0, 1, 1<<16 - 1, 1 << 16, 1 << 48, MaxStamp} {
		tail := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
		u := Make(s, tail)
		if u.Stamp() != s || [8]byte(u.Bytes()[8:]) != tail {
			t.Errorf("Make(%x, …) has stamp %x and bytes %x", s, u.Stamp(), u.Bytes())
		}
	}
}

func TestParseRefusesWhatIsNoID(t *testing.T) {
	good := Make(1<<40, [8]byte{1}).String()
	for name, text := range map[string]string{
		"empty":            "",
		"short":            good[:TextSize-1],
		"long":             good + "0",
		"22 letters":       "AAAAAAAAAAAAAAAAAAAAAA",
		"43 letters":       strings.Repeat("A", 43),
		"letter I":         "I" + good[1:],
		"letter L":         good[:5] + "L" + good[6:],
		"letter O":         good[:5] + "O" + good[6:],
		"letter U":         good[:25] + "U",
		"space":            " " + good[1:],
		"not ASCII":        good[:24] + "é",
		"more than 128 b":  "8" + good[1:],
		"a megabyte":       strings.Repeat("Z", 1<<20),
		"zero byte inside": good[:3] + "\x00" + good[4:],
	} {
		t.Run(name, func(t *testing.T) {
			u, err := Parse(text)
			if !errors.Is(err, ErrFormat) || !u.IsZero() {
				t.Fatalf("Parse: %v, %v", u, err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error repeats %d bytes of its input", len(err.Error()))
			}
			if e, err := ParseEntity(text); !errors.Is(err, ErrFormat) || !e.IsZero() {
				t.Errorf("ParseEntity: %v, %v", e, err)
			}
		})
	}
}

func TestFromBytesRefusesOtherLengths(t *testing.T) {
	for _, n := range []int{0, 1, 15, 17, 32} {
		if u, err := FromBytes(make([]byte, n)); !errors.Is(err, ErrFormat) || !u.IsZero() {
			t.Errorf("%d bytes: %v, %v", n, u, err)
		}
	}
}

func TestBytesAreNotShared(t *testing.T) {
	b := bytes.Repeat([]byte{9}, Size)
	u, err := FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 1
	u.Bytes()[1] = 1
	if want := bytes.Repeat([]byte{9}, Size); !bytes.Equal(u.Bytes(), want) {
		t.Errorf("the id became %x", u.Bytes())
	}
}

func TestNewIsForNowAndUnique(t *testing.T) {
	before := StampAt(time.Now())
	var ids []ULID
	for range 200 {
		ids = append(ids, New(nil))
	}
	after := StampAt(time.Now().Add(time.Millisecond))
	slices.SortFunc(ids, ULID.Compare)
	if ids = slices.Compact(ids); len(ids) != 200 {
		t.Errorf("%d of 200 ids are different", len(ids))
	}
	for _, u := range ids {
		if s := u.Stamp() &^ 0xffff; s < before || s > after {
			t.Errorf("%s is for %v", u, u.Stamp().Time())
		}
	}
}

func TestNewTakesItsTailFromTheReader(t *testing.T) {
	u := New(bytes.NewReader([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}))
	if want := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !bytes.Equal(u.Bytes()[6:], want) {
		t.Errorf("tail %x, want %x", u.Bytes()[6:], want)
	}
	defer func() {
		if recover() == nil {
			t.Error("an id was made without randomness")
		}
	}()
	New(bytes.NewReader(nil))
}

func TestStampAt(t *testing.T) {
	for _, tc := range []struct {
		name string
		at   time.Time
		want Stamp
	}{
		{"the epoch", time.UnixMilli(0), 0},
		{"a millisecond later", time.UnixMilli(1), 1 << 16},
		{"within a millisecond", time.UnixMilli(1).Add(999 * time.Microsecond), 1 << 16},
		{"before the epoch", time.UnixMilli(-5), 0},
		{"the last millisecond", time.UnixMilli(1<<48 - 1), MaxStamp &^ 0xffff},
		{"after it", time.UnixMilli(1 << 48), MaxStamp &^ 0xffff},
	} {
		if got := StampAt(tc.at); got != tc.want {
			t.Errorf("%s: %x, want %x", tc.name, uint64(got), uint64(tc.want))
		}
	}
	if got := (MaxStamp &^ 0xffff).Time().UTC().Year(); got != 10889 {
		t.Errorf("stamps end in %d", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	f.Add("81ARZ3NDEKTSV4RRFFQ69G5FAV")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if !strings.EqualFold(u.String(), text) {
			t.Fatalf("%q is read as %s", text, u)
		}
	})
}
