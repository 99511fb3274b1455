package core

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/internal/sha256"
	"github.com/ankurah-go/ankurah/proto"
)

// Context is a node as seen by one principal. Every read and write of an application
// goes through one.
type Context struct {
	node      *Node
	principal policy.Principal
}

// Node returns the context's node.
func (c *Context) Node() *Node { return c.node }

// Begin starts a transaction. It holds memory for what changes while it is open, until
// Commit or Rollback.
func (c *Context) Begin() *Tx { return newTx(c.node, c.principal) }

// Get returns an entity: from this node's data, or, where an ephemeral node does not hold
// it, from the durable node. It fails with ErrNotFound if there is none, and with
// ErrOffline if that cannot be known.
func (c *Context) Get(ctx context.Context, collection string, e id.EntityID) (_ *View, err error) {
	defer wrap(&err, "get")
	if err := c.node.checkCollection(collection); err != nil {
		return nil, err
	}
	snap := c.node.open.begin(c.node.limits.SnapshotRecords)
	defer c.node.open.end(snap)
	at := snap.at(ctx, c.node)
	r := at.record(e)
	if r == nil && at.err == nil && c.node.replica != nil {
		if r, err = c.node.replica.get(ctx, collection, e); err != nil {
			return nil, err
		}
	}
	if err := c.shows(at, collection, r); err != nil {
		return nil, about(e, err)
	}
	return newView(r), nil
}

// shows reports why a record of a moment is not shown as an entity of the collection; nil if
// it is.
func (c *Context) shows(at *moment, collection string, r *proto.Record) error {
	switch {
	case at.err != nil:
		return at.err
	case visible(r) == nil || r.Collection != collection:
		return ErrNotFound
	}
	return c.readableAt(at, r)
}

// readable holds a record against the policy; only a durable node has one that counts.
func (c *Context) readable(r *proto.Record) error {
	snap := c.node.open.begin(c.node.limits.SnapshotRecords)
	defer c.node.open.end(snap)
	return c.readableAt(snap.at(c.node.run.ctx, c.node), r)
}

func (c *Context) readableAt(at *moment, r *proto.Record) error {
	if !c.node.opts.Durable || policy.IsPermissive(c.node.policy) {
		return nil
	}
	if err := c.node.eyes(c.principal, at).judge(r); err != nil {
		return err
	}
	return at.err
}

// scope returns what a principal may see of a collection, checked against its model like
// any selection; nil if that is everything.
func (n *Node) scope(p policy.Principal, collection string) (*ankql.Selection, error) {
	narrow, err := n.policy.Narrow(p, collection)
	if err != nil || narrow == nil {
		return nil, err
	}
	model, _ := n.catalog.get(collection)
	checked, err := (&ankql.Selection{Where: narrow, Limit: ankql.NoLimit}).CheckWith(model, n)
	if err != nil {
		return nil, err
	}
	checked.Where = marked(checked.Where)
	return checked, nil
}

// sight returns a number for all that a principal may see, as scope says; 0 for everything of
// every collection.
func (n *Node) sight(p policy.Principal) uint64 {
	if policy.IsPermissive(n.policy) {
		return 0
	}
	var scopes []byte
	for _, m := range n.catalog.all() {
		narrow, err := n.policy.Narrow(p, m.Collection)
		switch {
		case err != nil:
			scopes = append(scopes, m.Collection+"\x00"...)
		case narrow != nil:
			scopes = append(scopes, m.Collection+"\x01"+narrow.String()+"\x00"...)
		}
	}
	if len(scopes) == 0 {
		return 0
	}
	digest := sha256.Sum256(scopes)
	return binary.BigEndian.Uint64(digest[:8])
}

// Fetch returns the entities of a selection as they are now: on an ephemeral node that is
// connected, as the durable node has them; on one that is not, as they are known here.
func (c *Context) Fetch(ctx context.Context, collection string, s *ankql.Selection) (_ []*View, err error) {
	defer wrap(&err, "fetch")
	checked, err := c.node.prepare(c.principal, collection, s)
	if err != nil {
		return nil, err
	}
	return c.fetch(ctx, collection, checked)
}

// fetch is Fetch for a selection that has been prepared.
func (c *Context) fetch(ctx context.Context, collection string, checked *ankql.Selection) ([]*View, error) {
	if c.node.replica != nil {
		return c.node.replica.fetch(ctx, c, collection, checked)
	}
	// A snapshot, so that no transaction is seen half between two pages.
	snap := c.node.open.begin(c.node.limits.SnapshotRecords)
	defer c.node.open.end(snap)
	rows, _, err := c.node.reading(c.principal, collection, checked).scan(snap.at(ctx, c.node), nil, checked.Limit)
	return views(rows), err
}

// checkCollection refuses what no application reads or writes, and collections without
// a model.
func (n *Node) checkCollection(collection string) error {
	if strings.HasPrefix(collection, schema.ReservedPrefix) {
		return fmt.Errorf("%w: %s", ErrReserved, collection)
	}
	if _, ok := n.catalog.get(collection); !ok {
		return fmt.Errorf("%w: no model is registered for collection %q", schema.ErrInvalid, collection)
	}
	return nil
}

// prepare checks a selection against the model and, on a durable node, narrows it to
// what the principal may see.
func (n *Node) prepare(p policy.Principal, collection string, s *ankql.Selection) (*ankql.Selection, error) {
	if err := n.checkCollection(collection); err != nil {
		return nil, err
	}
	model, _ := n.catalog.get(collection)
	checked, err := s.CheckWith(model, n)
	if err != nil {
		return nil, err
	}
	if !n.opts.Durable {
		if err := sendable(checked); err != nil {
			return nil, err
		}
		return checked, nil
	}
	checked = checked.Synced()
	scope, err := n.scope(p, collection)
	if err != nil || scope == nil {
		return checked, err
	}
	narrowed := *checked
	narrowed.Where = ankql.And(checked.Where, scope.Where)
	return &narrowed, nil
}

// sendable refuses selections that no durable node would take: a connection on which one is
// sent ends.
func sendable(s *ankql.Selection) error {
	text, params := s.Text()
	bytes := len(text)
	for _, v := range params {
		bytes += v.Size()
	}
	switch {
	case len(text) > proto.MaxText:
		return tooLarge(strconv.Itoa(proto.MaxText)+" bytes as text", strconv.Itoa(len(text)), "a long list is one parameter")
	case len(params) > proto.MaxParams:
		return tooLarge(strconv.Itoa(proto.MaxParams)+" parameters", strconv.Itoa(len(params)), "")
	case bytes > proto.MaxFrame/2:
		return tooLarge(strconv.Itoa(proto.MaxFrame/2)+" bytes with its parameters", strconv.Itoa(bytes), "")
	}
	return nil
}

func tooLarge(limit, got, hint string) error {
	return &ankql.Error{Pos: -1, Expected: "a selection of at most " + limit, Got: got, Hint: hint}
}
