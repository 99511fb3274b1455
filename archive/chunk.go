package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

const magic = "ANKARCH"

// Version is the form of archives that this program writes; it reads no later one.
const Version = 1

// kind says what a chunk is.
type kind byte

const (
	kindHeader kind = 'H'
	kindData   kind = 'D'
	kindMark   kind = 'M'
	kindEnd    kind = 'E'
)

const (
	codingPlain = 0
	codingZstd  = 1
)

// frameSize is the length of what precedes a payload.
const frameSize = 1 + 1 + 4 + 4 + 4

// MaxChunk bounds the payload of one chunk in bytes, before and after coding. A chunk holds
// about a megabyte, but an item is never divided.
const MaxChunk = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendChunk appends a chunk. Where there is an encoder the payload is coded, unless that
// makes it no shorter.
func appendChunk(dst []byte, k kind, payload []byte, encoder *zstd.Encoder) ([]byte, error) {
	if len(payload) > MaxChunk {
		return nil, fmt.Errorf("archive: a chunk of %d bytes, more than %d", len(payload), MaxChunk)
	}
	start := len(dst)
	dst = append(dst, byte(k), codingPlain)
	dst = append(dst, make([]byte, frameSize-2)...)
	if encoder != nil {
		dst = encoder.EncodeAll(payload, dst)
		dst[start+1] = codingZstd
	}
	if encoder == nil || len(dst)-start-frameSize >= len(payload) {
		dst = append(dst[:start+frameSize], payload...)
		dst[start+1] = codingPlain
	}
	frame := dst[start:]
	binary.BigEndian.PutUint32(frame[2:], uint32(len(frame)-frameSize))
	binary.BigEndian.PutUint32(frame[6:], uint32(len(payload)))
	binary.BigEndian.PutUint32(frame[10:], checksum(frame))
	return dst, nil
}

// checksum is that of a chunk: of everything but itself.
func checksum(chunk []byte) uint32 {
	return crc32.Update(crc32.Checksum(chunk[:10], castagnoli), castagnoli, chunk[frameSize:])
}

// chunkReader reads chunks one by one.
type chunkReader struct {
	source  io.Reader
	decoder *zstd.Decoder
	chunk   bytes.Buffer // as it was read
	plain   []byte       // reused
	offset  int64        // behind the last chunk that was read whole
}

func newChunkReader(source io.Reader) (*chunkReader, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxChunk))
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &chunkReader{source: source, decoder: decoder}, nil
}

func (c *chunkReader) close() { c.decoder.Close() }

// preamble reads what comes before the chunks, and returns its bytes.
func (c *chunkReader) preamble() ([]byte, error) {
	var b [len(magic) + 1]byte
	n, err := io.ReadFull(c.source, b[:])
	switch {
	case n < len(b) && n <= len(magic) && string(b[:n]) != magic[:n], n == 0 && errors.Is(err, io.EOF), n == len(b) && string(b[:len(magic)]) != magic:
		return nil, ErrNotArchive
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &DamageError{Offset: 0, Err: ErrTruncated}
	case err != nil:
		return nil, err
	case b[len(magic)] == 0:
		return nil, ErrNotArchive
	case b[len(magic)] > Version:
		return nil, fmt.Errorf("%w: it is of version %d, and this program reads up to %d", ErrNewer, b[len(magic)], Version)
	}
	c.offset = int64(len(b))
	return b[:], nil
}

// next reads one chunk: its kind, its payload, and all of its bytes, which are valid until
// the next call. It returns io.EOF where there is none.
func (c *chunkReader) next() (k kind, payload, whole []byte, err error) {
	c.chunk.Reset()
	if n, err := io.CopyN(&c.chunk, c.source, frameSize); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return 0, nil, nil, io.EOF
		}
		return 0, nil, nil, c.cut(err)
	}
	head := c.chunk.Bytes()
	size, plain := binary.BigEndian.Uint32(head[2:]), binary.BigEndian.Uint32(head[6:])
	if size > MaxChunk || plain > MaxChunk {
		return 0, nil, nil, c.damaged("a chunk of %d bytes", max(size, plain))
	}
	// What is there is read, not what is said to be there.
	if _, err := io.CopyN(&c.chunk, c.source, int64(size)); err != nil {
		return 0, nil, nil, c.cut(err)
	}
	whole = c.chunk.Bytes()
	if sum := checksum(whole); sum != binary.BigEndian.Uint32(whole[10:]) {
		return 0, nil, nil, c.damaged("the checksum is %08x, not %08x", sum, binary.BigEndian.Uint32(whole[10:]))
	}
	payload, err = c.decode(whole[1], whole[frameSize:], int(plain))
	if err != nil {
		return 0, nil, nil, &DamageError{Offset: c.offset, Err: err}
	}
	c.offset += int64(len(whole))
	return kind(whole[0]), payload, whole, nil
}

func (c *chunkReader) decode(coding byte, stored []byte, plain int) ([]byte, error) {
	switch coding {
	case codingPlain:
		if len(stored) != plain {
			return nil, damaged("%d bytes that should be %d", len(stored), plain)
		}
		return stored, nil
	case codingZstd:
		var err error
		if c.plain, err = c.decoder.DecodeAll(stored, c.plain[:0]); err != nil {
			return nil, damaged("%w", err)
		}
		if len(c.plain) != plain {
			return nil, damaged("%d bytes that should be %d", len(c.plain), plain)
		}
		return c.plain, nil
	}
	return nil, damaged("coding %d is unknown", coding)
}

func (c *chunkReader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &DamageError{Offset: c.offset, Err: ErrTruncated}
	}
	return err
}

func (c *chunkReader) damaged(format string, args ...any) error {
	return &DamageError{Offset: c.offset, Err: damaged(format, args...)}
}
