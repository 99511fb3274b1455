package proto

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

func TestEmptyFramesAreReadAgain(t *testing.T) {
	for typ := uint64(1); newFrame(typ) != nil; typ++ {
		f := newFrame(typ)
		b := AppendFrame([]byte{7}, f)
		if got, err := DecodeFrame(b[1:]); err != nil || !bytes.Equal(AppendFrame(nil, got), b[1:]) {
			t.Errorf("%T is read as %+v, %v", f, got, err)
		}
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	frame := func(typ uint64, body []byte) []byte { return append(msgpack.AppendUint([]byte{Version}, typ), body...) }
	array := func(n int) []byte { return msgpack.AppendArrayLen(nil, n) }
	run := func(typ uint64, head []byte, n int) []byte {
		b := msgpack.AppendArrayLen(frame(typ, head), n)
		for range n {
			b = AppendID(b, ulid(1))
		}
		return b
	}
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":             {nil, msgpack.ErrTruncated},
		"a version alone":     {[]byte{Version}, msgpack.ErrTruncated},
		"version 0":           {[]byte{0, typePing, 0x91, 1}, ErrVersion},
		"the next version":    {[]byte{Version + 1, typePing, 0x91, 1}, ErrVersion},
		"text":                {[]byte("GET / HTTP/1.1"), ErrVersion},
		"type 0":              {frame(0, array(0)), ErrFrameType},
		"an unknown type":     {frame(200, array(0)), ErrFrameType},
		"a huge type":         {frame(1<<63, array(0)), ErrFrameType},
		"a text for the type": {append([]byte{Version}, 0xa1, 'a'), msgpack.ErrType},
		"no body":             {frame(typePing, nil), msgpack.ErrTruncated},
		"too few items":       {frame(typePong, array(1)), msgpack.ErrTruncated},
		"fewer items":         {frame(typePong, []byte{0x91, 1}), msgpack.ErrType},
		"more items":          {frame(typePing, []byte{0x92, 1, 1}), msgpack.ErrTooLong},
		"something behind it": {frame(typePing, []byte{0x91, 1, 1}), msgpack.ErrTrailing},
		"more than a frame":   {make([]byte, MaxFrame+1), msgpack.ErrTooLong},
		"an unknown change":   {frame(typeUpdate, appendUnknownChange()), ErrStructure},
		// The lists that hold several items for each entry hold whole entries.
		"half a known row": {run(typeSubscribe, append(array(7), 1, 0xa1, 'a', 0xa0, 0x90, 0xc2, 0x90), 1), ErrStructure},
		"half a row":       {run(typeRows, append(array(9), 1, 0xa1, 'a', 0xc2, 0xc2), 2), ErrStructure},
		"part of an ack":   {run(typeAck, append(AppendID(array(3), ulid(1)), 1), 1), ErrStructure},
	} {
		if got, err := DecodeFrame(tc.b); !errors.Is(err, tc.want) || got != nil {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, tc.want)
		}
	}
	_, err := DecodeFrame([]byte{Version + 1, typePing, 0x91, 1})
	if says := err.Error(); !strings.Contains(says, fmt.Sprint(Version)) || !strings.Contains(says, fmt.Sprint(Version+1)) {
		t.Errorf("%q does not name both versions", says)
	}
}

func appendUnknownChange() []byte {
	b := AppendID(AppendPosition(msgpack.AppendArrayLen(nil, 4), nil), ulid(1))
	b = msgpack.AppendString(msgpack.AppendArrayLen(msgpack.AppendArrayLen(b, 1), 6), "album")
	b = msgpack.AppendUint(msgpack.AppendUint(AppendID(b, ulid(1)), 1), uint64(RowGone)+1)
	return msgpack.AppendArrayLen(AppendClock(b, nil), 0)
}

// Each limit of limits.go holds for what a decoder returns: at the limit a frame is read,
// beyond it refused.
func TestLimitsOfFrames(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	models := func(n int) []*schema.Model {
		list := make([]*schema.Model, n)
		for i := range list {
			list[i] = &schema.Model{Collection: "a"}
		}
		return list
	}
	property := func(p schema.Property) Frame {
		return &Catalog{Models: []*schema.Model{{Collection: "a", Properties: []schema.Property{p}}}}
	}
	for name, of := range map[string]struct {
		limit int
		frame func(n int) Frame
	}{
		"collection":       {MaxNameBytes, func(n int) Frame { return &Get{Collection: long(n)} }},
		"selection":        {MaxText, func(n int) Frame { return &Subscribe{Text: long(n)} }},
		"parameters":       {MaxParams, func(n int) Frame { return &Subscribe{Params: make([]value.Value, n)} }},
		"known rows":       {MaxFrameItems, func(n int) Frame { return &Subscribe{Known: make([]KnownRow, n)} }},
		"credentials":      {MaxText, func(n int) Frame { return &Hello{Credentials: make([]byte, n)} }},
		"user":             {MaxText, func(n int) Frame { return &Welcome{User: long(n)} }},
		"entities":         {MaxFrameItems, func(n int) Frame { return &Get{Entities: make([]id.EntityID, n)} }},
		"same":             {MaxFrameItems, func(n int) Frame { return &Rows{Same: make([]id.EntityID, n)} }},
		"acknowledged":     {MaxTxEvents, func(n int) Frame { return &Ack{Rows: make([]AckRow, n)} }},
		"changes":          {MaxFrameItems, func(n int) Frame { return &Update{Changes: make([]RowChange, n)} }},
		"models":           {MaxModels, func(n int) Frame { return &Register{Models: models(n)} }},
		"name in a model":  {MaxNameBytes, func(n int) Frame { return property(schema.Property{Name: long(n)}) }},
		"target":           {MaxNameBytes, func(n int) Frame { return property(schema.Property{Target: long(n)}) }},
		"enum":             {schema.MaxEnum, func(n int) Frame { return property(schema.Property{Enum: make([]string, n)}) }},
		"text of an enum":  {MaxText, func(n int) Frame { return property(schema.Property{Enum: []string{long(n)}}) }},
		"properties":       {schema.MaxProperties, func(n int) Frame { return &Catalog{Models: []*schema.Model{{Properties: make([]schema.Property, n)}}} }},
		"head":             {MaxClock, func(n int) Frame { return &Ack{Rows: []AckRow{{Before: ascending(n)}}} }},
		"state properties": {MaxFrameItems, func(n int) Frame { return &Update{Changes: []RowChange{{Properties: properties(n)}}} }},
	} {
		if _, err := DecodeFrame(AppendFrame(nil, of.frame(of.limit))); err != nil {
			t.Errorf("%s: %d are refused: %v", name, of.limit, err)
		}
		if _, err := DecodeFrame(AppendFrame(nil, of.frame(of.limit+1))); !errors.Is(err, msgpack.ErrTooLong) {
			t.Errorf("%s: %d give %v", name, of.limit+1, err)
		}
	}
	events := make([]*Event, MaxTxEvents+1)
	for i := range events {
		events[i] = sampleCreation(t)
	}
	if _, err := DecodeFrame(AppendFrame(nil, &Commit{Events: events})); !errors.Is(err, msgpack.ErrTooLong) {
		t.Errorf("%d events: %v", len(events), err)
	}
}

func ascending(n int) Clock {
	c := make(Clock, n)
	for i := range c {
		c[i] = id.EventID{ULID: id.Make(id.Stamp(i), [8]byte{})}
	}
	return c
}

func properties(n int) []PropertyState {
	list := make([]PropertyState, n)
	for i := range list {
		list[i].Name = fmt.Sprintf("%06d", i)
	}
	return list
}

// Messages for people are cut to what a peer reads, not sent to be refused.
func TestLongMessagesAreCut(t *testing.T) {
	for name, text := range map[string]string{
		"as long as may be": strings.Repeat("a", MaxText),
		"longer":            strings.Repeat("a", MaxText+1),
		"in two-byte runes": strings.Repeat("é", MaxText),
		"at an odd place":   "a" + strings.Repeat("😀", MaxText),
		"not UTF-8":         "a\xffb",
		"long and not":      strings.Repeat("a\xff", MaxText),
	} {
		for _, f := range []Frame{&Nack{Message: text}, &Reply{Message: text}, &Refuse{Message: text}} {
			got, err := DecodeFrame(AppendFrame(nil, f))
			if err != nil {
				t.Errorf("%s in %T: %v", name, f, err)
				continue
			}
			read := reflect.ValueOf(got).Elem().FieldByName("Message").String()
			whole := strings.ToValidUTF8(text, "\uFFFD")
			if !strings.HasPrefix(whole, read) || !utf8.ValidString(read) || len(read) > MaxText || len(read) < min(len(whole), MaxText-utf8.UTFMax) {
				t.Errorf("%s in %T: %d bytes are read, beginning %.10q", name, f, len(read), read)
			}
		}
	}
}

// A header that promises more properties than there are bytes for makes no room for them.
func TestPromisesDoNotAllocate(t *testing.T) {
	b := msgpack.AppendArrayLen(nil, 3)
	b = AppendClock(msgpack.AppendUint(b, stateVersion), nil)
	b = append(msgpack.AppendArrayLen(b, MaxFrameItems), make([]byte, MaxFrameItems)...)
	allocs := testing.AllocsPerRun(5, func() {
		r := msgpack.NewReader(b)
		if ReadState(&r) != nil || !errors.Is(r.Err(), msgpack.ErrTruncated) {
			t.Errorf("%v", r.Err())
		}
	})
	if allocs > 8 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestDecodedFramesOwnTheirContent(t *testing.T) {
	for name, f := range sampleFrames(t) {
		b := AppendFrame(nil, f)
		got, err := DecodeFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] = 0xff
		}
		if !reflect.DeepEqual(got, f) {
			t.Errorf("%s became %+v", name, got)
		}
	}
}
