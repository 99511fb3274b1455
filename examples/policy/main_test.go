package main

import (
	"context"
	"errors"
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/memory"
)

func TestForbiddenTitlesAreRefused(t *testing.T) {
	ctx := t.Context()
	node := open(t)
	c := node.Context(policy.Principal{})
	for name, allowed := range map[string]bool{"Drones": true, "forbidden": false, "Forbidden": false, "Forbidden City": true} {
		tx := c.Begin()
		entity, err := tx.Create(ctx, "album", named(name))
		if err == nil {
			_, err = tx.Commit(ctx)
		}
		if (err == nil) != allowed || err != nil && !errors.Is(err, policy.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		if !allowed {
			continue
		}
		tx = c.Begin()
		if err = tx.Set(ctx, "album", entity, named("FORBIDDEN")); err == nil {
			_, err = tx.Commit(ctx)
		}
		if !errors.Is(err, policy.ErrDenied) {
			t.Errorf("%s renamed: %v", name, err)
		}
		tx = c.Begin()
		if err = tx.Delete(ctx, "album", entity); err == nil {
			_, err = tx.Commit(ctx)
		}
		if err != nil {
			t.Errorf("%s deleted: %v", name, err)
		}
	}
}

func open(t *testing.T) *core.Node {
	t.Helper()
	node, err := core.Open(t.Context(), core.Options{
		Engine: memory.New(), Durable: true, Policy: titles{Agent: policy.Permissive(), forbidden: "forbidden"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	album := &schema.Model{Collection: "album", Properties: []schema.Property{{Name: "name", Type: schema.TypeString}}}
	for _, step := range []func(context.Context) error{
		node.CreateSystem,
		func(ctx context.Context) error { return node.Register(ctx, album) },
	} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return node
}

// named returns the only field that an album has here.
func named(name string) []proto.Field {
	return []proto.Field{{Name: "name", Value: value.String(name)}}
}
