package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/ankurah-go/ankurah/server/admin"
)

var drainCommand = &command{
	name: "drain", summary: "have the clients of a server that runs go to other servers",
	details: `The server was started with --admin SOCKET. It says at /readyz that it is not ready, answers what its
clients have sent, has them connect again elsewhere, and takes no new ones. The command ends when they have gone;
the server runs on until it is stopped, and serves when it is started again.`,
	prepare: func(f *flag.FlagSet) func(context.Context, *program, []string) error {
		server := f.String("server", "", "the server to drain, as `unix:SOCKET`")
		return func(ctx context.Context, p *program, args []string) error {
			socket, ok := socketOf(*server)
			if !ok || len(args) > 0 {
				return usage("drain wants --server unix:SOCKET, and nothing else")
			}
			if err := admin.NewClient(socket).Drain(ctx); err != nil {
				return err
			}
			fmt.Fprintln(p.stderr, "no clients are connected any more")
			return nil
		}
	},
}
