package core

import (
	"encoding/binary"
	"fmt"

	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// How a node writes what only it reads: metadata, outbox entries, rejections, cursors.

func encodeUint(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func encodePosition(p proto.Position) []byte { return proto.AppendPosition(nil, p) }

// decodePosition reads what encodePosition wrote; anything else is none.
func decodePosition(b []byte) proto.Position {
	if b == nil {
		return nil
	}
	r := msgpack.NewReader(b)
	p := proto.ReadPosition(&r)
	if r.Done() != nil {
		return nil
	}
	return p
}

// decodeUint reads what encodeUint wrote; anything else is 0.
func decodeUint(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// encodePending writes an outbox entry: a Commit frame, which is what it will be.
func encodePending(p *pendingTx) []byte {
	size := 64
	for _, e := range p.events {
		size += e.EncodedSize()
	}
	return proto.AppendFrame(make([]byte, 0, size), &proto.Commit{Transaction: p.tx, Attempt: p.attempt, Events: p.events})
}

func decodePending(entry storage.OutboxEntry) (*pendingTx, error) {
	f, err := proto.DecodeFrame(entry.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: outbox entry %d: %w", storage.ErrCorrupt, entry.Seq, err)
	}
	commit, ok := f.(*proto.Commit)
	if !ok {
		return nil, fmt.Errorf("%w: outbox entry %d holds a %T", storage.ErrCorrupt, entry.Seq, f)
	}
	return &pendingTx{seq: entry.Seq, tx: commit.Transaction, attempt: commit.Attempt, events: commit.Events}, nil
}

// cursor is a position as of which all rows of a selection are here.
type cursor struct {
	key string         // of the selection, hashed
	at  proto.Position // none: the selection is open, and in step with the connection's position
}

func encodeCursors(list []cursor) []byte {
	b := msgpack.AppendArrayLen(nil, 2*len(list))
	for _, c := range list {
		b = msgpack.AppendBytes(b, c.key)
		b = proto.AppendPosition(b, c.at)
	}
	return b
}

func decodeCursors(b []byte, max int) (list []cursor, err error) {
	if b == nil {
		return nil, nil
	}
	r := msgpack.NewReader(b)
	for n := r.ArrayLen(2 * max); n > 0 && r.Err() == nil; n -= 2 {
		list = append(list, cursor{key: string(r.Bytes()), at: proto.ReadPosition(&r)})
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: cursors: %w", storage.ErrCorrupt, err)
	}
	return list, nil
}
