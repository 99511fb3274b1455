package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/server/engine"
)

var restoreCommand = &command{
	name: "restore", arguments: "FILE|-", summary: "bring what an archive holds into an empty store",
	details: `The store is made if it is not there; one that holds something else is refused. A restore that
was interrupted, or whose archive was cut off, goes on where it was when it is started again
with the whole archive; until it is done no server opens the store.

The restored store is a new store of the same system: clients notice, and compare what they hold
with it. Indexes are built when a server opens it. Do not run it beside the old one if it was restored to replace that.`,
	prepare: func(f *flag.FlagSet) func(context.Context, *program, []string) error {
		r := &restoring{store: newStoreFlag(f, "storage", "ANKURAH_STORAGE", "the `store` to restore into")}
		f.BoolVar(&r.quiet, "quiet", false, "do not say how far it is")
		return r.run
	},
}

// restoring is a call of restore.
type restoring struct {
	store *storeFlag
	quiet bool
}

func (r *restoring) run(ctx context.Context, p *program, args []string) (err error) {
	if len(args) != 1 {
		return usage("restore needs one archive, FILE or - for standard input")
	}
	in, total, err := openArchive(p, args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	reader, err := archive.NewReader(bufio.NewReaderSize(in, 1<<16))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	defer reader.Close()
	store, err := r.store.open(ctx, p, engine.Own)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if begun, err := archive.Begun(ctx, store); err != nil {
		return err
	} else if begun != nil && !r.quiet {
		fmt.Fprintf(p.stderr, "going on with what was begun: an archive of %s\n", begun.Header.Created.Format(time.DateTime))
	}
	m := newMeter(p, r.quiet)
	done, err := archive.Restore(ctx, store, reader, archive.RestoreOptions{Report: func(at archive.Progress) {
		m.show(func() string { return share(at.Bytes, total) + describe(at) + ", " + m.rate(at.Counts.Records) })
	}})
	var damage *archive.DamageError
	switch {
	case errors.As(err, &damage):
		return fmt.Errorf("%s: %w; what comes before that is restored, and no server opens the store before the rest is: start again with the whole archive", args[0], err)
	case err != nil:
		return err
	}
	m.end("%s", describe(done))
	return nil
}

// openArchive opens an archive and returns its size, 0 where that is not known.
func openArchive(p *program, path string) (io.ReadCloser, int64, error) {
	if path == "-" {
		return io.NopCloser(p.stdin), 0, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

func share(n, total int64) string {
	if total <= 0 {
		return ""
	}
	return fmt.Sprintf("%d%%: ", 100*n/total)
}
