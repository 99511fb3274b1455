package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/server/admin"
	"github.com/ankurah-go/ankurah/server/engine"
)

var inspectCommand = &command{
	name: "inspect", arguments: "[ENTITY]", summary: "show collections, models, indexes and sizes, or one entity with its history",
	details: `Of a server that runs (--server unix:SOCKET, where it was started with --admin SOCKET) it also shows
who is connected, what they have open, and how the server is.`,
	prepare: func(f *flag.FlagSet) func(context.Context, *program, []string) error {
		i := &inspecting{store: newStoreFlag(f, "storage", "ANKURAH_STORAGE", "the `store` to inspect")}
		f.StringVar(&i.server, "server", "", "the server to inspect, as `unix:SOCKET`")
		f.BoolVar(&i.asJSON, "json", false, "write JSON")
		return i.run
	},
}

// inspecting is a call of inspect.
type inspecting struct {
	store  *storeFlag
	server string
	asJSON bool
}

// inspected is a store or a server.
type inspected interface {
	Inspect(ctx context.Context) (*admin.Inspection, error)
	Entity(ctx context.Context, e id.EntityID) (*admin.Entity, error)
}

func (i *inspecting) run(ctx context.Context, p *program, args []string) (err error) {
	if len(args) > 1 {
		return usage("inspect takes one entity at most")
	}
	var entity id.EntityID
	if len(args) == 1 {
		if entity, err = id.ParseEntity(args[0]); err != nil {
			return usage("inspect: %v", err)
		}
	}
	of, closed, err := i.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed()) }()
	var shown any
	var write func(w io.Writer)
	if entity.IsZero() {
		in, err := of.Inspect(ctx)
		if err != nil {
			return err
		}
		shown, write = in, func(w io.Writer) { writeInspection(w, in) }
	} else {
		e, err := of.Entity(ctx, entity)
		if err != nil {
			return err
		}
		shown, write = e, func(w io.Writer) { writeEntity(w, e) }
	}
	if i.asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		return out.Encode(shown)
	}
	write(p.stdout)
	return nil
}

func (i *inspecting) open(ctx context.Context, p *program) (inspected, func() error, error) {
	if i.server != "" {
		socket, ok := socketOf(i.server)
		if !ok || i.store.text != "" {
			return nil, nil, usage("inspect wants either --storage STORE or --server unix:SOCKET")
		}
		return admin.NewClient(socket), func() error { return nil }, nil
	}
	store, err := i.store.open(ctx, p, engine.Reading)
	if err != nil {
		return nil, nil, err
	}
	return admin.Offline(store), store.Close, nil
}

func writeInspection(w io.Writer, in *admin.Inspection) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintf(t, "system\t%s\nstore\t%s\nnode\t%s\n", in.System, cmp.Or(in.Store, "restored, and not opened since"), in.Node)
	if in.Bytes > 0 {
		fmt.Fprintf(t, "size\t%s\n", size(in.Bytes))
	}
	for _, f := range in.Feeds {
		fmt.Fprintf(t, "feed\t%s\t%d transactions\n", f.ID, f.Last)
	}
	if s := in.Server; s != nil {
		fmt.Fprintf(t, "server\t%s, version %s, up %s\nconnections\t%d\nwatched predicates\t%d\n", s.Status, s.Version, s.Uptime, s.Connections, s.Watches)
	}
	for _, c := range in.Collections {
		fmt.Fprintf(t, "\n%s\t%d entities\n", c.Name, c.Entities)
		fmt.Fprintf(t, "  properties\t%s\n", strings.Join(c.Properties, "; "))
		for _, ix := range c.Indexes {
			fmt.Fprintf(t, "  index\t%s\n", ix)
		}
	}
	if in.Server == nil {
		return
	}
	for _, peer := range in.Server.Peers {
		kind := "client"
		if peer.Durable {
			kind = "durable server"
		}
		fmt.Fprintf(t, "\n%s\t%s\tfrom %s\tas %q\n", kind, peer.Node, peer.Remote, peer.User)
		for _, s := range peer.Subscriptions {
			fmt.Fprintf(t, "  %s\t%s\n", s.Collection, s.Selection)
		}
	}
}

func writeEntity(w io.Writer, e *admin.Entity) {
	state := ""
	if e.Deleted {
		state = ", deleted"
	}
	fmt.Fprintf(w, "%s %s, revision %d%s\nhead %s\n", e.Collection, e.ID, e.Revision, state, strings.Join(e.Head, " "))
	for _, p := range e.Properties {
		fmt.Fprintf(w, "  %s = %s\n", p.Name, p.Value)
	}
	for _, ev := range e.Events {
		fmt.Fprintf(w, "\n%s  %s  by %q at node %s", ev.Time.Format(time.DateTime), ev.ID, ev.User, ev.Author)
		if len(ev.Parents) > 0 {
			fmt.Fprintf(w, "  on top of %s", strings.Join(ev.Parents, " "))
		}
		fmt.Fprintln(w)
		for _, p := range ev.Changes {
			if p.Before == "" {
				fmt.Fprintf(w, "  %s = %s\n", p.Name, p.Value)
			} else {
				fmt.Fprintf(w, "  %s: %s -> %s\n", p.Name, p.Before, p.Value)
			}
		}
	}
	if e.Earlier {
		fmt.Fprintln(w, "\nearlier events are not shown")
	}
}
