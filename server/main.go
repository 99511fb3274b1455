// Command ankurah-server is the durable node of a system: it keeps every change in a
// directory, serves clients over WebSockets and, if asked to, a web app over HTTP.
//
//	ankurah-server --addr localhost:9797 --data ./data --app dist
//
// --help lists its settings. It stops on SIGTERM or SIGINT, after what is in progress;
// what it has acknowledged survives even kill -9. Programs that want a durable node
// within them use package ankurah and connectors/ws instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/ankurah-go/ankurah/server/config"
)

// version is set by the linker.
var version = ""

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it could not start, or not stop in good order
	exitUsage  = 2 // a setting makes no sense
)

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, restore) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program: it serves until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	c, err := config.Parse(args, getenv)
	switch {
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(stdout, config.Usage())
		return exitOK
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, "ankurah-server", versionText())
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "ankurah-server:", err)
		return exitUsage
	}

	s, err := open(ctx, c, newLogger(stderr, c))
	if err != nil {
		fmt.Fprintln(stderr, "ankurah-server:", err)
		return exitFailed
	}
	if err := s.serve(ctx); err != nil {
		fmt.Fprintln(stderr, "ankurah-server:", err)
		return exitFailed
	}
	return exitOK
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
