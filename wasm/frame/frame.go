// The protocol between a page and the node in its worker.
//
//	frame   = version message*
//	message = [kind, field…], fields in the order of the message's declaration
//
//	page → node                          node → page
//	 1 hello       open the node         32 done        a request succeeded
//	 2 subscribe   open a live query     33 failed      a request failed
//	 3 unsubscribe close it              34 opened      answers hello
//	 4 fetch       read rows once        35 rows        answers fetch and get, in parts
//	 5 get         read one entity       36 created     answers create: the ids
//	 6 create      entities, in a tx     37 committed   answers commit: the transaction
//	 7 edit        one entity, in a tx   38 delta       a live query changed, in parts
//	 8 mark        deleted or restored   39 status      of the node
//	 9 commit      a transaction         40 settled     a transaction was acknowledged or refused
//	10 rollback    a transaction         41 rejections  all refused transactions
//	11 cancel      a request
//	12 dismiss     a refused transaction, or all
//	13 token       present another
//	14 await       until there is a system
//	15 received    bytes, for flow control
//	16 network     whether the page has one; also before hello
//	17 aggregate   open a live aggregate 42 groups      a live aggregate changed, in parts
//	18 move        a live query's window 43 located     answers locate: a cursor
//	19 locate      the row of an index   44 explained   answers explain
//	20 explain     how a selection is read
//	21 select      other rows, in place
//	22 history     of an entity         45 revisions   answers history
//	23 as of       an entity as it was
//	24 retry       a refused transaction
//	30 attend      be in a room         50 members     who is in a room, in parts
//
// A row comes with how far it is in step: synced, pending or refused. A change of nothing but
// that, or of a row's place, comes without the row's values.
//
// A live query may have a window: up to so many rows before an anchor, and so many from it
// on. The anchor is a place in the order: the start, the end, a cursor (a row's place at
// one time, as text), or what is looked up once when the window is made: where an entity
// stands, or the row of an index. Whatever comes, goes or moves, the anchor stays. Deltas of
// such a query end with its state: how many of the rows stand before the anchor, whether
// there are more rows before the first and after the last (exactly, once the status is
// live), and the cursors of the first, of the last and of the anchor. A move keeps the rows
// that are shown before and after it; moving the anchor along with what is in view costs
// what comes into view.
//
// wasm/frame (Go) and js/src/wire.ts (TypeScript) are two halves of one thing: change both,
// and the golden files that both are tested against.

package frame

import (
	"errors"
	"fmt"
	"iter"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Version opens every frame; page and node come from the same package, so another one
// means that an old page talks to a new worker, and is refused.
const Version = 1

// Limits of what a page may send. They bound what one message makes the node allocate.
const (
	MaxFrame   = 32 << 20 // bytes of one frame
	MaxRows    = 10_000   // entities of one create
	MaxColumns = schema.MaxProperties
	MaxText    = proto.MaxText
	MaxName    = 256 // names of clients, URLs are MaxText
)

// ErrVersion says that the two sides are of different releases.
var ErrVersion = errors.New("frame: page and worker are of different versions; reload the page")

// errKind says that a message is of a kind that this release does not know.
var errKind = errors.New("frame: unknown kind of message")

// The kinds of messages. The list is append-only.
const (
	kindHello = iota + 1
	kindSubscribe
	kindUnsubscribe
	kindFetch
	kindGet
	kindCreate
	kindEdit
	kindMark
	kindCommit
	kindRollback
	kindCancel
	kindDismiss
	kindToken
	kindAwait
	kindReceived
	kindNetwork
	kindAggregate
)

const (
	kindMove    = 18
	kindLocate  = 19
	kindExplain = 20
	kindSelect  = 21
	kindLocated = 43

	kindExplained = 44

	kindHistory   = 22
	kindAsOf      = 23
	kindRetry     = 24
	kindRevisions = 45

	kindAttend  = 30
	kindMembers = 50
)

const (
	kindDone = iota + 32
	kindFailed
	kindOpened
	kindRows
	kindCreated
	kindCommitted
	kindDelta
	kindStatus
	kindSettled
	kindRejections
	kindGroups
)

// Message is one message of either direction: exactly the types of this package that have
// a kind.
type Message interface {
	kind() uint64
	fields() int // how many follow the kind
}

// Answer is a message from the node, whether it answers or tells.
type Answer interface {
	Message
	// append appends the fields, each as one item.
	append(dst []byte) []byte
}

// incoming is a message from a page.
type incoming interface {
	Message
	// read reads the fields; errors stay in r.
	read(r *msgpack.Reader)
}

// MessageError says that a message could not be read.
type MessageError struct {
	Request uint64 // the request to answer, 0 where none could be read
	Err     error
}

// Error implements error.
func (e *MessageError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e *MessageError) Unwrap() error { return e.Err }

// Begin appends what opens a frame; Append adds the messages.
func Begin(dst []byte) []byte { return append(dst, Version) }

// Append appends m to a frame.
func Append(dst []byte, m Answer) []byte { return m.append(appendHeader(dst, m)) }

func appendHeader(dst []byte, m Message) []byte {
	return msgpack.AppendUint(msgpack.AppendArrayLen(dst, 1+m.fields()), m.kind())
}

// Decode yields the messages of a page's frame in order. What they hold shares nothing with
// b. A message that cannot be read yields a *MessageError in its place, and the next one
// follows, if it can be found.
func Decode(b []byte) iter.Seq2[Message, error] {
	return messages(b, func(kind uint64) (Message, func(*msgpack.Reader)) {
		if m := newRequest(kind); m != nil {
			return m, m.read
		}
		return nil, nil
	})
}

// messages yields the messages of a frame; form returns an empty message of a kind, with
// what reads its fields, or nil.
func messages(b []byte, form func(kind uint64) (Message, func(*msgpack.Reader))) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := checkHeader(b); err != nil {
			yield(nil, &MessageError{Err: err})
			return
		}
		r := msgpack.NewReader(b[1:])
		for r.More() {
			raw := r.Known() // decoding it is what checks it
			if err := r.Err(); err != nil {
				yield(nil, &MessageError{Err: err})
				return
			}
			if !yield(decodeMessage(raw, form)) {
				return
			}
		}
	}
}

func checkHeader(b []byte) error {
	switch {
	case len(b) > MaxFrame:
		return fmt.Errorf("%w: frame of %d bytes, more than %d", msgpack.ErrTooLong, len(b), MaxFrame)
	case len(b) == 0:
		return msgpack.ErrTruncated
	case b[0] != Version:
		return fmt.Errorf("%w (%d, not %d)", ErrVersion, b[0], Version)
	}
	return nil
}

func decodeMessage(raw []byte, form func(uint64) (Message, func(*msgpack.Reader))) (Message, error) {
	r := msgpack.NewReader(raw)
	n := r.ArrayLen(MaxColumns)
	kind := r.Uint()
	m, read := form(kind)
	if m == nil {
		r.Fail(errKind)
	} else if n != 1+m.fields() {
		r.Fail(msgpack.ErrType)
	} else {
		read(&r)
	}
	if err := r.Done(); err != nil {
		return nil, &MessageError{Request: requestOf(raw, m), Err: fmt.Errorf("frame: message of kind %d: %w", kind, err)}
	}
	return m, nil
}

// requestOf returns the request that a message is or answers, which is the first field of
// those that have one.
func requestOf(raw []byte, m Message) uint64 {
	if _, ok := m.(Request); !ok {
		return 0
	}
	r := msgpack.NewReader(raw)
	r.ArrayLen(MaxColumns)
	r.Uint()
	request := r.Uint()
	if r.Err() != nil {
		return 0
	}
	return request
}

func newRequest(kind uint64) incoming {
	switch kind {
	case kindHello:
		return new(Hello)
	case kindSubscribe:
		return new(Subscribe)
	case kindUnsubscribe:
		return new(Unsubscribe)
	case kindFetch:
		return new(Fetch)
	case kindGet:
		return new(Get)
	case kindCreate:
		return new(Create)
	case kindEdit:
		return new(Edit)
	case kindMark:
		return new(Mark)
	case kindCommit:
		return new(Commit)
	case kindRollback:
		return new(Rollback)
	case kindCancel:
		return new(Cancel)
	case kindDismiss:
		return new(Dismiss)
	case kindToken:
		return new(Token)
	case kindAwait:
		return new(Await)
	case kindReceived:
		return new(Received)
	case kindNetwork:
		return new(Network)
	case kindAggregate:
		return new(Aggregate)
	case kindMove:
		return new(Move)
	case kindLocate:
		return new(Locate)
	case kindSelect:
		return new(Select)
	case kindExplain:
		return new(Explain)
	case kindHistory:
		return new(History)
	case kindAsOf:
		return new(AsOf)
	case kindRetry:
		return new(Retry)
	case kindAttend:
		return new(Attend)
	}
	return nil
}

// The items that messages are made of.

func readString(r *msgpack.Reader, max int) string {
	b := r.StringBytes()
	if len(b) > max {
		r.Fail(msgpack.ErrTooLong)
		return ""
	}
	return string(b)
}

// appendOptional appends nil for the empty text.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return msgpack.AppendNil(dst)
	}
	return msgpack.AppendString(dst, s)
}

func readOptional(r *msgpack.Reader) string {
	if r.TryNil() {
		return ""
	}
	return readString(r, MaxText)
}

func appendULID(dst []byte, u id.ULID) []byte {
	b := u.Array()
	return msgpack.AppendBytes(dst, b[:])
}

// appendChosen appends nil for the zero one.
func appendChosen(dst []byte, u id.ULID) []byte {
	if u.IsZero() {
		return msgpack.AppendNil(dst)
	}
	return appendULID(dst, u)
}

func readChosen(r *msgpack.Reader) id.ULID {
	if r.TryNil() {
		return id.ULID{}
	}
	return readULID(r)
}

func readULID(r *msgpack.Reader) id.ULID {
	b := r.Bytes()
	if r.Err() != nil {
		return id.ULID{}
	}
	u, err := id.FromBytes(b)
	if err != nil {
		r.Fail(err)
	}
	return u
}

func appendNames(dst []byte, names []string) []byte {
	dst = msgpack.AppendArrayLen(dst, len(names))
	for _, name := range names {
		dst = msgpack.AppendString(dst, name)
	}
	return dst
}

func readNames(r *msgpack.Reader) []string {
	n := r.ArrayLen(MaxColumns)
	names := make([]string, 0, n)
	for ; n > 0 && r.Err() == nil; n-- {
		names = append(names, readString(r, proto.MaxNameBytes))
	}
	return names
}

// readValues fills values with as many items.
func readValues(r *msgpack.Reader, values []value.Value) {
	for i := range values {
		values[i] = value.Read(r)
	}
}
