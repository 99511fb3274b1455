package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/server/admin"
	"github.com/ankurah-go/ankurah/server/engine"
	"github.com/ankurah-go/ankurah/storage"
)

var dumpCommand = &command{
	name: "dump", summary: "write everything that a store holds to an archive",
	details: `The archive has all events, states, models and the change feed, with checksums; any engine can
be restored from it. The directory of Pebble and the file of SQLite are opened by one program at
a time, so their server is to be stopped, or asked for the dump itself: --server. Postgres and
TiKV are dumped while servers use them.

A dump into a file that was interrupted goes on when it is started again, also if the store has
changed meanwhile; to standard output (-o -) it begins again. The archive is readable by its
owner only: everything is in it, and it is not encrypted.`,
	prepare: func(f *flag.FlagSet) func(context.Context, *program, []string) error {
		d := &dumping{store: newStoreFlag(f, "storage", "ANKURAH_STORAGE", "the `store` to dump")}
		f.StringVar(&d.server, "server", "", "the server that runs to ask for the dump, as `unix:SOCKET`")
		f.StringVar(&d.output, "o", "", "the `file` to write, - for standard output")
		f.BoolVar(&d.plain, "plain", false, "do not compress")
		f.BoolVar(&d.quiet, "quiet", false, "do not say how far it is")
		return d.run
	},
}

// dumping is a call of dump.
type dumping struct {
	store          *storeFlag
	server, output string
	plain, quiet   bool
}

func (d *dumping) run(ctx context.Context, p *program, args []string) (err error) {
	switch {
	case len(args) > 0:
		return usage("dump takes no argument %q", args[0])
	case d.output == "":
		return usage("dump needs -o FILE, or -o - for standard output")
	case d.output == "-" && isTerminal(p.stdout):
		return usage("dump does not write to a terminal; want -o FILE")
	}
	if d.server != "" {
		return d.ask(ctx, p)
	}
	store, err := d.store.open(ctx, p, engine.Reading)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m := newMeter(p, d.quiet)
	options := archive.DumpOptions{Report: func(at archive.Progress) {
		m.show(func() string { return describe(at) + ", " + m.rate(at.Counts.Records) })
	}}
	if d.plain {
		options.Writer.Compression = archive.Uncompressed
	}
	var done archive.Progress
	if d.output == "-" {
		done, err = dumpTo(ctx, store, p.stdout, options)
	} else {
		done, err = dumpFile(ctx, p, store, d.output, options)
	}
	if err == nil {
		m.end("%s", describe(done))
	}
	return err
}

// ask takes the dump from a server that runs.
func (d *dumping) ask(ctx context.Context, p *program) (err error) {
	socket, ok := socketOf(d.server)
	if !ok || d.store.text != "" {
		return usage("dump wants either --storage STORE or --server unix:SOCKET")
	}
	var out io.Writer = p.stdout
	if d.output != "-" {
		file, err := os.OpenFile(d.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("%w; a dump from a server does not go on with a file that is there", err)
		}
		defer func() { err = errors.Join(err, file.Sync(), file.Close()) }()
		out = file
	}
	body, err := admin.NewClient(socket).Archive(ctx, admin.ArchiveOptions{Compress: !d.plain})
	if err != nil {
		return err
	}
	defer body.Close()
	m := newMeter(p, d.quiet)
	done, err := pass(out, body, func(at archive.Progress) { m.show(func() string { return describe(at) }) })
	if err == nil {
		m.end("%s", describe(done))
	}
	return err
}

// pass writes an archive as it comes, and checks it on the way.
func pass(out io.Writer, in io.Reader, report func(archive.Progress)) (done archive.Progress, err error) {
	reader, err := archive.NewReader(io.TeeReader(in, out))
	if err != nil {
		return done, err
	}
	defer reader.Close()
	for {
		_, err := reader.Next()
		done = archive.Progress{Header: reader.Header(), Counts: reader.Counts(), Bytes: reader.Offset()}
		if errors.Is(err, io.EOF) {
			return done, nil
		}
		if err != nil {
			return done, err
		}
		report(done)
	}
}

func describe(at archive.Progress) string {
	return fmt.Sprintf("%d entities, %d events, %d feed entries, %s", at.Counts.Records, at.Counts.Events, at.Counts.Entries, size(at.Bytes))
}

func dumpTo(ctx context.Context, store storage.Engine, w io.Writer, o archive.DumpOptions) (archive.Progress, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	done, err := archive.Dump(ctx, store, out, o)
	return done, errors.Join(err, out.Flush())
}

// dumpFile dumps into a file, or goes on with one that was interrupted.
func dumpFile(ctx context.Context, p *program, store storage.Engine, path string, o archive.DumpOptions) (done archive.Progress, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return done, err
	case !info.Mode().IsRegular(): // a pipe, a device
		return dumpTo(ctx, store, file, o)
	case info.Size() == 0:
		done, err = archive.Dump(ctx, store, file, o)
	default:
		done, err = resumeFile(ctx, p, store, file, o)
	}
	if err != nil {
		return done, fmt.Errorf("%s: %w", path, err)
	}
	return done, file.Sync()
}

func resumeFile(ctx context.Context, p *program, store storage.Engine, file *os.File, o archive.DumpOptions) (archive.Progress, error) {
	done, err := archive.Resume(ctx, store, file, o)
	var damage *archive.DamageError
	switch {
	case errors.Is(err, archive.ErrNotArchive):
		return done, fmt.Errorf("the file exists, and %w; it is left alone", err)
	case errors.Is(err, archive.ErrComplete), errors.Is(err, archive.ErrOther):
		return done, fmt.Errorf("the file exists: %w; it is left alone", err)
	case errors.As(err, &damage) && errors.Is(err, archive.ErrTruncated):
		// Not even the header is whole: there is nothing to go on with.
		fmt.Fprintln(p.stderr, "ankurah: dump: the file has the beginning of a header and no more; beginning again")
		if err := file.Truncate(0); err != nil {
			return done, err
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return done, err
		}
		return archive.Dump(ctx, store, file, o)
	}
	return done, err
}
