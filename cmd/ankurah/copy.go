package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/server/admin"
	"github.com/ankurah-go/ankurah/server/engine"
	"github.com/ankurah-go/ankurah/storage"
)

var copyCommand = &command{
	name: "copy", summary: "copy a store into another, also while its server runs",
	details: `From a store of which no server runs, it copies everything, as dump and restore do together.

From a server that runs, --from unix:SOCKET copies what is there and then follows what is
committed, until it is interrupted or, with --until-caught-up, until it has everything. That the
copy has everything at some moment does not make it whole: the server goes on. So in the end
stop the server, and copy once more from its store, which takes only what was missing:

  ankurah-server --data ./data --admin ./admin.sock            # it has been running like this
  ankurah copy --from unix:./admin.sock --to postgres://…      # says when it has caught up
  (stop the copy, stop the server)
  ankurah copy --from pebble:./data --to postgres://…          # the rest: a moment
  ankurah-server --storage postgres://…

Interrupted at any time, it goes on when it is started again. Until the last copy has ended, no
server opens the new store. The old store is not changed.`,
	prepare: func(f *flag.FlagSet) func(context.Context, *program, []string) error {
		c := &copying{to: newStoreFlag(f, "to", "", "the `store` to copy into")}
		f.StringVar(&c.from, "from", "", "the `store` to copy, or unix:SOCKET of a server that runs")
		f.BoolVar(&c.once, "until-caught-up", false, "end when the copy has everything, instead of following")
		f.BoolVar(&c.quiet, "quiet", false, "do not say how far it is")
		return c.run
	},
}

// copying is a call of copy.
type copying struct {
	from        string
	to          *storeFlag
	once, quiet bool
}

// socketOf returns the socket of a server that runs, if that is what is meant.
func socketOf(text string) (path string, ok bool) { return strings.CutPrefix(text, "unix:") }

func (c *copying) run(ctx context.Context, p *program, args []string) (err error) {
	switch {
	case len(args) > 0:
		return usage("copy takes no argument %q", args[0])
	case c.from == "":
		return usage("--from is missing: which store, or which server?")
	}
	if _, err := c.to.setting(p); err != nil {
		return err
	}
	socket, online := socketOf(c.from)
	var source storage.Engine
	if !online {
		from := &storeFlag{name: "from", text: c.from}
		if source, err = from.open(ctx, p, engine.Existing); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, source.Close()) }()
	}
	target, err := c.to.open(ctx, p, engine.Own)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	begun, err := archive.Begun(ctx, target)
	if err != nil {
		return err
	}
	m := newMeter(p, c.quiet)
	if online {
		return c.follow(ctx, m, admin.NewClient(socket), target, begun)
	}
	options := archive.DumpOptions{}
	if begun != nil {
		options.From = begun.Progress()
	}
	done, err := archive.Copy(ctx, source, target, options, archive.RestoreOptions{Report: func(at archive.Progress) {
		m.show(func() string { return describe(at) + ", " + m.rate(at.Counts.Records) })
	}})
	if err == nil {
		m.end("%s; the copy is whole", describe(done))
	}
	return err
}

// errCaughtUp ends a copy from a server that was to be made until then.
var errCaughtUp = errors.New("caught up")

// follow copies from a server that runs.
func (c *copying) follow(ctx context.Context, m *meter, server *admin.Client, target storage.Engine, begun *archive.Restored) error {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	body, err := server.Archive(reading, admin.ArchiveOptions{From: begun, Follow: true})
	if err != nil {
		return err
	}
	defer body.Close()
	reader, err := archive.NewReader(bufio.NewReaderSize(body, 1<<16))
	if err != nil {
		return cutShort(err)
	}
	defer reader.Close()
	caughtUp := false
	done, err := archive.Restore(reading, target, reader, archive.RestoreOptions{Report: func(at archive.Progress) {
		if at.CaughtUp && !caughtUp {
			caughtUp = true
			m.print("caught up: "+describe(at), true)
			if c.once {
				stop(errCaughtUp)
			}
		}
		m.show(func() string { return describe(at) })
	}})
	if cause := context.Cause(reading); caughtUp && cause != nil {
		m.end("%s; stop the server, and copy the rest from its store", describe(done))
		return nil
	}
	return cutShort(err)
}

// cutShort says what it means that a server's answer ends too early.
func cutShort(err error) error {
	if errors.Is(err, archive.ErrTruncated) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the server has ended; what came until then is copied, and the rest is still to be copied from its store")
	}
	return err
}
