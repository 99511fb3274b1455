package archive

import (
	"context"
	"errors"
	"io"

	"github.com/ankurah-go/ankurah/storage"
)

// Copy dumps one store and restores it into another as it comes, without a file between
// them; what was copied before, DumpOptions.From says. It returns what was restored.
func Copy(ctx context.Context, from, to storage.Engine, d DumpOptions, r RestoreOptions) (Progress, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, out := io.Pipe()
	dumped := make(chan error, 1)
	d.Writer.Compression = Uncompressed // it stays in memory
	go func() {
		_, err := Dump(ctx, from, out, d)
		out.CloseWithError(err)
		dumped <- err
	}()
	p, err := restoreFrom(ctx, to, in, r)
	in.CloseWithError(err) // which ends a dump that nobody reads any more
	cancel()
	if dumpErr := <-dumped; err == nil || errors.Is(err, dumpErr) {
		err = dumpErr
	}
	return p, err
}

func restoreFrom(ctx context.Context, to storage.Engine, in io.Reader, o RestoreOptions) (Progress, error) {
	reader, err := NewReader(in)
	if err != nil {
		return Progress{}, err
	}
	defer reader.Close()
	return Restore(ctx, to, reader, o)
}
