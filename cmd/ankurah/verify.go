package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/verify"
	"github.com/ankurah-go/ankurah/server/engine"
)

var verifyCommand = &command{
	name: "verify", summary: "recompute a store's states from its events, and report differences",
	details: `Each finding is a line on standard output that begins with what kind of problem it is; the exit
status is 1 if there is any. Nothing is changed. The store's servers are to be stopped.`,
	prepare: func(f *flag.FlagSet) func(context.Context, *program, []string) error {
		v := &verifying{store: newStoreFlag(f, "storage", "ANKURAH_STORAGE", "the `store` to verify")}
		f.IntVar(&v.keep, "limit", 1000, "the `number` of findings to report at most; all are counted")
		f.BoolVar(&v.quiet, "quiet", false, "say nothing but findings")
		return v.run
	},
}

// verifying is a call of verify.
type verifying struct {
	store *storeFlag
	keep  int
	quiet bool
}

func (v *verifying) run(ctx context.Context, p *program, args []string) (err error) {
	if len(args) > 0 {
		return usage("verify takes no argument %q", args[0])
	}
	if v.keep < 1 {
		return usage("verify: --limit is at least 1")
	}
	store, err := v.store.open(ctx, p, engine.Existing)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := core.ReadIdentity(ctx, store); errors.Is(err, core.ErrRestoring) {
		return fmt.Errorf("%w: there is not yet anything to verify", err)
	}
	m := newMeter(p, v.quiet)
	report, err := verify.Store(ctx, store, verify.Options{Keep: v.keep, Progress: func(c verify.Counts) {
		m.show(func() string { return counted(c) })
	}})
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Fprintln(p.stdout, f)
	}
	if !v.quiet {
		for _, name := range slices.Sorted(maps.Keys(report.Collections)) {
			fmt.Fprintf(p.stderr, "  %s: %d\n", name, report.Collections[name])
		}
	}
	if report.Found > 0 {
		m.end("%s; %d findings", counted(report.Counts), report.Found)
		return errFindings
	}
	m.end("%s; all is well", counted(report.Counts))
	return nil
}

func counted(c verify.Counts) string {
	return fmt.Sprintf("%d entities (%d of them deleted), %d events, %d feed entries", c.Entities, c.Deleted, c.Events, c.Entries)
}
