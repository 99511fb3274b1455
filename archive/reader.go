package archive

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Chunk is a *Data, a *Mark or an *End.
type Chunk interface{ chunk() }

// Mark says that the archive had everything at that time.
type Mark struct{ At time.Time }

// End ends an archive.
type End struct {
	Counts Counts
	Digest [sha256.Size]byte // of all bytes before it
}

func (*Data) chunk() {}
func (*Mark) chunk() {}
func (*End) chunk()  {}

func appendEnd(dst []byte, e *End) []byte {
	dst = msgpack.AppendArrayLen(dst, 4)
	dst = msgpack.AppendUint(dst, e.Counts.Records)
	dst = msgpack.AppendUint(dst, e.Counts.Events)
	dst = msgpack.AppendUint(dst, e.Counts.Entries)
	return msgpack.AppendBytes(dst, e.Digest[:])
}

func decodeEnd(b []byte) (*End, error) {
	r := msgpack.NewReader(b)
	r.Array(4)
	e := &End{Counts: Counts{Records: r.Uint(), Events: r.Uint(), Entries: r.Uint()}}
	if copy(e.Digest[:], r.Bytes()) != len(e.Digest) {
		r.Fail(io.ErrUnexpectedEOF)
	}
	if err := r.Done(); err != nil {
		return nil, damaged("end: %w", err)
	}
	return e, nil
}

func decodeMark(b []byte) (*Mark, error) {
	r := msgpack.NewReader(b)
	r.Array(1)
	m := &Mark{At: time.UnixMicro(r.Int()).UTC()}
	if err := r.Done(); err != nil {
		return nil, damaged("mark: %w", err)
	}
	return m, nil
}

// Reader reads an archive, and checks it.
type Reader struct {
	chunks *chunkReader
	header *Header
	digest hash.Hash // of everything read but the end
	counts Counts
	ended  bool
}

// NewReader reads the beginning of an archive. The caller closes the reader; what it reads
// from stays the caller's.
func NewReader(source io.Reader) (*Reader, error) {
	chunks, err := newChunkReader(source)
	if err != nil {
		return nil, err
	}
	r := &Reader{chunks: chunks, digest: sha256.New()}
	if r.header, err = r.begin(); err != nil {
		chunks.close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) begin() (*Header, error) {
	preamble, err := r.chunks.preamble()
	if err != nil {
		return nil, err
	}
	r.digest.Write(preamble)
	start := r.chunks.offset
	k, payload, whole, err := r.chunks.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, &DamageError{Offset: start, Err: ErrTruncated}
	case err != nil:
		return nil, err
	case k != kindHeader:
		return nil, &DamageError{Offset: start, Err: damaged("a chunk of kind %q where the header should be", rune(k))}
	}
	r.digest.Write(whole)
	h, err := decodeHeader(payload)
	if err != nil {
		return nil, &DamageError{Offset: start, Err: err}
	}
	return h, nil
}

// Header returns what the archive is of.
func (r *Reader) Header() *Header { return r.header }

// Offset returns how many bytes of the archive were read, up to the end of a chunk.
func (r *Reader) Offset() int64 { return r.chunks.offset }

// Counts returns how many items were read.
func (r *Reader) Counts() Counts { return r.counts }

// Close releases what the reader holds.
func (r *Reader) Close() { r.chunks.close() }

// Next returns the next chunk, which is the caller's. After the end it returns io.EOF; where
// the archive is cut off, that it is.
func (r *Reader) Next() (Chunk, error) {
	start := r.chunks.offset
	k, payload, whole, err := r.chunks.next()
	switch {
	case r.ended && errors.Is(err, io.EOF):
		return nil, io.EOF
	case r.ended && (err == nil || errors.Is(err, ErrTruncated) || errors.Is(err, ErrDamaged)):
		return nil, &DamageError{Offset: start, Err: damaged("something follows the end")}
	case errors.Is(err, io.EOF):
		return nil, &DamageError{Offset: start, Err: ErrTruncated}
	case err != nil:
		return nil, err
	}
	chunk, err := r.decode(k, payload)
	if err != nil {
		return nil, &DamageError{Offset: start, Err: err}
	}
	r.digest.Write(whole)
	return chunk, nil
}

func (r *Reader) decode(k kind, payload []byte) (Chunk, error) {
	switch k {
	case kindData:
		d, err := decodeData(payload)
		if err != nil {
			return nil, err
		}
		for i := range d.Items {
			r.counts.add(&d.Items[i])
		}
		return d, nil
	case kindMark:
		return decodeMark(payload)
	case kindEnd:
		e, err := decodeEnd(payload)
		if err != nil {
			return nil, err
		}
		if e.Counts != r.counts {
			return nil, damaged("it has %+v, and should have %+v", r.counts, e.Counts)
		}
		if [sha256.Size]byte(r.digest.Sum(nil)) != e.Digest {
			return nil, damaged("its digest is %x, not %x", r.digest.Sum(nil), e.Digest)
		}
		r.ended = true
		return e, nil
	}
	return nil, damaged("a chunk of kind %q is unknown", rune(k))
}
