package frame

import (
	"iter"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// AppendRequest appends a page's message to a frame. It is the page's half of the protocol,
// which tests play in Go; a browser's binary does not contain it.
func AppendRequest(dst []byte, m Message) []byte {
	page, ok := m.(interface{ write(dst []byte) []byte })
	if !ok {
		panic("frame: a page does not send this message")
	}
	dst = appendHeader(dst, m)
	return append(dst, page.write(nil)...)
}

// DecodeAnswers yields the node's messages of a frame in order, as Decode does those of
// a page.
func DecodeAnswers(b []byte) iter.Seq2[Message, error] {
	return messages(b, func(kind uint64) (Message, func(*msgpack.Reader)) {
		if m := newAnswer(kind); m != nil {
			return m, m.parse
		}
		return nil, nil
	})
}

func newAnswer(kind uint64) interface {
	Message
	parse(r *msgpack.Reader)
} {
	switch kind {
	case kindDone:
		return new(Done)
	case kindFailed:
		return new(Failed)
	case kindOpened:
		return new(Opened)
	case kindRows:
		return new(Rows)
	case kindCreated:
		return new(Created)
	case kindCommitted:
		return new(Committed)
	case kindDelta:
		return new(Delta)
	case kindStatus:
		return new(Status)
	case kindSettled:
		return new(Settled)
	case kindRejections:
		return new(Rejections)
	case kindRevisions:
		return new(Revisions)
	case kindGroups:
		return new(Groups)
	case kindMembers:
		return new(Members)
	case kindLocated:
		return new(Located)
	case kindExplained:
		return new(Explained)
	}
	return nil
}
