package archive

import (
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Header says what an archive is of.
type Header struct {
	Archive id.ULID             // names the archive
	Created time.Time           // when the dump began, to the microsecond
	Store   id.StoreID          // what it is of; zero of a store that was never opened under a name
	System  id.EntityID         // the root of the system that the store is part of
	Feeds   []FeedPosition      // where the feeds ended when the dump began, in ascending order
	Meta    []storage.MetaEntry // to be taken over
	After   Cursor              // behind what it begins
}

// Limits of the metadata in a header.
const (
	maxMeta      = 4096
	maxMetaBytes = 1 << 20
)

func appendHeader(dst []byte, h *Header) []byte {
	dst = msgpack.AppendArrayLen(dst, 7)
	dst = proto.AppendID(dst, h.Archive)
	dst = msgpack.AppendInt(dst, h.Created.UnixMicro())
	dst = proto.AppendID(dst, h.Store.ULID)
	dst = proto.AppendID(dst, h.System.ULID)
	dst = appendFeeds(dst, h.Feeds)
	dst = msgpack.AppendArrayLen(dst, len(h.Meta))
	for _, m := range h.Meta {
		dst = msgpack.AppendString(msgpack.AppendArrayLen(dst, 2), m.Key)
		dst = msgpack.AppendBytes(dst, m.Value)
	}
	return appendCursor(dst, h.After)
}

func decodeHeader(b []byte) (*Header, error) {
	r := msgpack.NewReader(b)
	r.Array(7)
	h := &Header{Archive: proto.ReadID(&r), Created: time.UnixMicro(r.Int()).UTC()}
	h.Store = id.StoreID{ULID: proto.ReadID(&r)}
	h.System = id.EntityID{ULID: proto.ReadID(&r)}
	h.Feeds = readFeeds(&r)
	for n := r.ArrayLen(maxMeta); n > 0 && r.Err() == nil; n-- {
		r.Array(2)
		m := storage.MetaEntry{Key: r.String(), Value: append([]byte{}, r.Bytes()...)}
		if len(m.Value) > maxMetaBytes {
			r.Fail(msgpack.ErrTooLong)
		}
		h.Meta = append(h.Meta, m)
	}
	h.After = readCursor(&r)
	if err := r.Done(); err != nil {
		return nil, damaged("header: %w", err)
	}
	return h, nil
}
