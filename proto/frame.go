package proto

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Version is the wire protocol's version. It opens every frame, and is raised with
// every change that an older peer would misread; the golden test pins the form of all
// frames to it.
const Version = 1

// formsOfVersion is the hash of the golden samples of everything that this package encodes
// as of Version; the golden test compares it, so that neither changes without the other.
const formsOfVersion = "920d518e3d00b730c9a57dda932e030d72b820925bc4121eb41a1383715519a8"

// What can be wrong with a frame.
var (
	ErrVersion   = errors.New("proto: other protocol version")
	ErrFrameType = errors.New("proto: unknown frame type")
)

// Frame types. The list is append-only.
const (
	typeHello = iota + 1
	typeWelcome
	typeRefuse
	typeRegister
	typeCatalog
	typeSubscribe
	typeUnsubscribe
	typeRows
	typeUpdate
	typeCommit
	typeAck
	typeNack
	typeGet
	typeReply
	typePing
	typePong
	typeAggregate
	typeGroups
	typeLocate
	typeLocated
)

// Frame types of histories.
const (
	typeHistory = iota + 32
	typeRevisions
	typeAsOf
	typeSnapshot
)

// Frame types between durable nodes.
const (
	typeFollow = iota + 36
	typeEntries
	typeTaken
	typeLookup
	typeFound
)

// Frame types of presence.
const (
	typeAttend = iota + 44
	typeMembers
	typeSpread
)

// Frame is one message between nodes: exactly the types of this package that have a
// frameType.
type Frame interface {
	frameType() uint64
	// appendBody appends the message as one array.
	appendBody(dst []byte) []byte
	// readBody reads what appendBody wrote; errors stay in r.
	readBody(r *msgpack.Reader)
}

// AppendFrame appends f as the version byte, the type, and the message's array.
func AppendFrame(dst []byte, f Frame) []byte {
	dst = append(dst, Version)
	dst = msgpack.AppendUint(dst, f.frameType())
	return f.appendBody(dst)
}

// DecodeFrame reads one frame, within the limits of this package. What it returns
// shares nothing with b. A frame of another version is an ErrVersion that names both.
func DecodeFrame(b []byte) (Frame, error) {
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("%w: frame of %d bytes, more than %d", msgpack.ErrTooLong, len(b), MaxFrame)
	}
	if len(b) < 2 {
		return nil, fmt.Errorf("proto: frame of %d bytes: %w", len(b), msgpack.ErrTruncated)
	}
	if b[0] != Version {
		return nil, fmt.Errorf("%w: got %d, this node speaks %d", ErrVersion, b[0], Version)
	}
	r := msgpack.NewReader(b[1:])
	f := newFrame(r.Uint())
	if f == nil {
		if r.Err() != nil {
			return nil, fmt.Errorf("proto: frame: %w", r.Err())
		}
		return nil, ErrFrameType
	}
	f.readBody(&r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("proto: %T: %w", f, err)
	}
	return f, nil
}

func newFrame(typ uint64) Frame {
	switch typ {
	case typeHello:
		return new(Hello)
	case typeWelcome:
		return new(Welcome)
	case typeRefuse:
		return new(Refuse)
	case typeRegister:
		return new(Register)
	case typeCatalog:
		return new(Catalog)
	case typeSubscribe:
		return new(Subscribe)
	case typeUnsubscribe:
		return new(Unsubscribe)
	case typeRows:
		return new(Rows)
	case typeUpdate:
		return new(Update)
	case typeCommit:
		return new(Commit)
	case typeAck:
		return new(Ack)
	case typeNack:
		return new(Nack)
	case typeGet:
		return new(Get)
	case typeReply:
		return new(Reply)
	case typePing:
		return new(Ping)
	case typePong:
		return new(Pong)
	case typeLocate:
		return new(Locate)
	case typeLocated:
		return new(Located)
	case typeAggregate:
		return new(Aggregate)
	case typeGroups:
		return new(Groups)
	case typeHistory:
		return new(History)
	case typeRevisions:
		return new(Revisions)
	case typeAsOf:
		return new(AsOf)
	case typeSnapshot:
		return new(Snapshot)
	case typeFollow:
		return new(Follow)
	case typeEntries:
		return new(Entries)
	case typeTaken:
		return new(Taken)
	case typeLookup:
		return new(Lookup)
	case typeFound:
		return new(Found)
	case typeAttend:
		return new(Attend)
	case typeMembers:
		return new(Members)
	case typeSpread:
		return new(Spread)
	}
	return nil
}

// readRun reads the header of an array that holds runs of each items, at most max of
// them, and returns how many runs there are.
func readRun(r *msgpack.Reader, each, max int) int {
	n := r.ArrayLen(each * max)
	if n%each != 0 {
		r.Fail(fmt.Errorf("%w: %d items in runs of %d", ErrStructure, n, each))
		return 0
	}
	return n / each
}

// appendMessage appends what is said to people: a long text is cut, so that the peer
// reads what there is of it instead of refusing the frame.
func appendMessage(dst []byte, text string) []byte {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > MaxText {
		n := MaxText
		for !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	return msgpack.AppendString(dst, text)
}

func readText(r *msgpack.Reader) string {
	b := r.StringBytes()
	if len(b) > MaxText {
		r.Fail(msgpack.ErrTooLong)
		return ""
	}
	return string(b)
}
