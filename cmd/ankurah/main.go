// Command ankurah looks after the stores of durable nodes: it dumps and restores them, copies
// them from one engine to another, verifies and inspects them, and drains servers.
//
//	ankurah dump    --storage pebble:./data -o backup.ankarch
//	ankurah restore --storage postgres://user@localhost/database backup.ankarch
//	ankurah verify  --storage sqlite:ankurah.db
//
// "ankurah help" lists the commands. It says on standard error how far it is, ends with
// status 0 when all is well, 1 when something is not, and 2 when it was called in a way that
// makes no sense.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// version is set by the linker.
var version = ""

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it failed, or what it looked at is not in order
	exitUsage  = 2 // it was called in a way that makes no sense
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, restore) // a second signal ends the process at once
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is what a command has to do with.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// command is one of the program's.
type command struct {
	name      string
	arguments string // behind the flags, for the help
	summary   string // on one line
	details   string // below the flags
	prepare   func(f *flag.FlagSet) func(ctx context.Context, p *program, args []string) error
}

// commands are in the order of the help.
var commands = []*command{dumpCommand, restoreCommand, copyCommand, verifyCommand, inspectCommand, drainCommand}

// errUsage is wrapped by errors of a call that makes no sense.
var errUsage = errors.New("usage")

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// errFindings says that what was looked at is not in order, which has been said already.
var errFindings = errors.New("findings")

// run is the program; it returns the exit status.
func (p *program) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		p.overview(p.stderr)
		return exitUsage
	}
	switch name := args[0]; name {
	case "help", "-h", "-help", "--help":
		if len(args) > 1 {
			if c := find(args[1]); c != nil {
				c.help(p.stdout)
				return exitOK
			}
			return p.failed(usage("there is no command %q", args[1]))
		}
		p.overview(p.stdout)
		return exitOK
	case "version", "-version", "--version":
		fmt.Fprintln(p.stdout, "ankurah", versionText())
		return exitOK
	default:
		c := find(name)
		if c == nil {
			return p.failed(usage("there is no command %q; ankurah help lists them", name))
		}
		return p.failed(c.run(ctx, p, args[1:]))
	}
}

func find(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

// failed says what went wrong, if anything, and returns the exit status.
func (p *program) failed(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFindings):
		return exitFailed
	case errors.Is(err, errUsage):
		fmt.Fprintln(p.stderr, "ankurah:", strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(p.stderr, "ankurah: interrupted")
		return exitFailed
	}
	fmt.Fprintln(p.stderr, "ankurah:", err)
	return exitFailed
}

func (c *command) run(ctx context.Context, p *program, args []string) error {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	do := c.prepare(f)
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		c.help(p.stdout)
		return nil
	case err != nil:
		return usage("%s: %v; ankurah help %s lists what it takes", c.name, err, c.name)
	}
	err := do(ctx, p, f.Args())
	if err != nil && !errors.Is(err, errUsage) && !errors.Is(err, errFindings) {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return err
}

func (p *program) overview(w io.Writer) {
	fmt.Fprintf(w, "ankurah %s looks after the stores of Ankurah servers.\n\n", versionText())
	for _, c := range commands {
		fmt.Fprintf(w, "  ankurah %-9s%s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nA store is named as for the server: pebble:DIR, sqlite:FILE, postgres://USER@HOST/DATABASE,\n"+
		"tikv://PD,PD/PREFIX. ankurah help COMMAND says more.\n")
}

func (c *command) help(w io.Writer) {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.prepare(f)
	fmt.Fprintf(w, "ankurah %s [flags] %s\n\n%s.\n\n", c.name, c.arguments, strings.ToUpper(c.summary[:1])+c.summary[1:])
	f.SetOutput(w)
	f.PrintDefaults()
	fmt.Fprintf(w, "\n%s\n", c.details)
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
