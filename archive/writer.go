package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Compression is how the payloads of an archive are coded.
type Compression int

// The compressions.
const (
	Zstandard Compression = iota
	Uncompressed
)

// WriterOptions are the settings of a writer; the zero value has the defaults.
type WriterOptions struct {
	Compression Compression
	// Chunk is about how many bytes of items go into one chunk, which is one commit when it
	// is restored; default 1 MiB.
	Chunk int
}

// chunkItems is how many items go into one chunk at most.
const chunkItems = 4096

// Writer writes an archive. What was given to Add is written when Flush returns.
type Writer struct {
	out       io.Writer
	chunkSize int
	encoder   *zstd.Encoder // nil: uncompressed
	digest    hash.Hash     // of everything written
	offset    int64
	counts    Counts

	cursor  Cursor
	items   []byte // waiting, encoded
	waiting int
	chunk   []byte // reused
	payload []byte // reused
}

// NewWriter begins an archive.
func NewWriter(out io.Writer, h *Header, o WriterOptions) (*Writer, error) {
	w, err := newWriter(out, o)
	if err != nil {
		return nil, err
	}
	if err := w.write(append([]byte(magic), Version)); err != nil {
		return nil, err
	}
	w.cursor = h.After
	return w, w.put(kindHeader, appendHeader(nil, h))
}

func newWriter(out io.Writer, o WriterOptions) (*Writer, error) {
	w := &Writer{out: out, chunkSize: o.Chunk, digest: sha256.New()}
	if o.Chunk <= 0 {
		w.chunkSize = 1 << 20
	}
	if o.Compression == Zstandard {
		var err error
		if w.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)); err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
	}
	return w, nil
}

// Continue goes on with an archive that was interrupted: it reads what there is of it from
// the beginning, and cuts off what is there beyond the last chunk that is whole. It returns
// the archive's header. It fails with ErrDamaged where something else than the end is
// missing, and with ErrComplete where nothing is.
func Continue(file File, o WriterOptions) (*Writer, *Header, error) {
	w, err := newWriter(file, o)
	if err != nil {
		return nil, nil, err
	}
	r, err := NewReader(file)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	w.cursor = r.Header().After
	for {
		chunk, err := r.Next()
		if errors.Is(err, ErrTruncated) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		switch c := chunk.(type) {
		case *Data:
			w.cursor = c.Cursor
		case *End:
			return nil, nil, ErrComplete
		}
	}
	w.digest, w.offset, w.counts = r.digest, r.Offset(), r.counts
	if err := file.Truncate(w.offset); err != nil {
		return nil, nil, err
	}
	_, err = file.Seek(w.offset, io.SeekStart)
	return w, r.Header(), err
}

// File is what an archive that can be continued lies in; an *os.File is one.
type File interface {
	io.ReadWriteSeeker
	Truncate(size int64) error
}

// Close releases what the writer holds; it writes nothing.
func (w *Writer) Close() {
	if w.encoder != nil {
		w.encoder.Close()
	}
}

// Offset returns how many bytes were written.
func (w *Writer) Offset() int64 { return w.offset }

// Counts returns how many items were added.
func (w *Writer) Counts() Counts { return w.counts }

// Cursor returns how far one is with what was added.
func (w *Writer) Cursor() Cursor { return w.cursor }

// Add adds an item, after which one is at the cursor; it writes when enough has come
// together.
func (w *Writer) Add(item *Item, to Cursor) error {
	w.items = appendItem(w.items, item)
	w.counts.add(item)
	w.waiting++
	w.cursor = to
	if len(w.items) >= w.chunkSize || w.waiting >= chunkItems {
		return w.Flush()
	}
	return nil
}

// Move notes that one is at the cursor, without a further item, and writes what waits.
func (w *Writer) Move(to Cursor) error {
	if err := w.Flush(); err != nil || w.cursor.Equal(to) {
		return err
	}
	w.cursor = to
	return w.put(kindData, appendCursor(nil, to))
}

// Flush writes what waits.
func (w *Writer) Flush() error {
	if w.waiting == 0 {
		return nil
	}
	w.payload = append(appendCursor(w.payload[:0], w.cursor), w.items...)
	w.items, w.waiting = w.items[:0], 0
	return w.put(kindData, w.payload)
}

// Mark writes what waits, and that the archive has everything as of a time.
func (w *Writer) Mark(at time.Time) error {
	if err := w.Flush(); err != nil {
		return err
	}
	return w.put(kindMark, msgpack.AppendInt(msgpack.AppendArrayLen(nil, 1), at.UnixMicro()))
}

// End writes what waits, and the end.
func (w *Writer) End() error {
	if err := w.Flush(); err != nil {
		return err
	}
	end := End{Counts: w.counts}
	w.digest.Sum(end.Digest[:0])
	return w.put(kindEnd, appendEnd(nil, &end))
}

func (w *Writer) put(k kind, payload []byte) (err error) {
	if w.chunk, err = appendChunk(w.chunk[:0], k, payload, w.encoder); err != nil {
		return err
	}
	return w.write(w.chunk)
}

func (w *Writer) write(b []byte) error {
	if _, err := w.out.Write(b); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	w.digest.Write(b)
	w.offset += int64(len(b))
	return nil
}
