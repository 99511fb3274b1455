package core

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// ServedPeer is a node that this one serves, as of the moment it was asked.
type ServedPeer struct {
	Node          id.NodeID
	Remote        string // where it connects from
	Durable       bool   // it replicates instead of subscribing
	User          string // the principal; "" when anonymous
	Subscriptions []Subscription
}

// Subscription is a selection that a peer has open.
type Subscription struct {
	Collection string
	Selection  string // checked, and narrowed by the policy
}

// ServedPeers returns the nodes that are connected to this one, in order of their ids, with what
// they have open, live aggregates aside. It is for people who look after a server: the
// selections have values in them.
func (n *Node) ServedPeers() []ServedPeer {
	var peers []ServedPeer
	for _, s := range n.peers().list() {
		p := ServedPeer{Node: s.peer, Remote: s.conn.Remote(), Durable: s.durable != nil, User: s.principal.Name}
		s.subsMu.Lock()
		for _, sub := range s.subs {
			if !sub.stopped.Load() {
				p.Subscriptions = append(p.Subscriptions, Subscription{sub.collection, sub.sel.String()})
			}
		}
		s.subsMu.Unlock()
		slices.SortFunc(p.Subscriptions, func(a, b Subscription) int {
			return strings.Compare(a.Collection+"\x00"+a.Selection, b.Collection+"\x00"+b.Selection)
		})
		peers = append(peers, p)
	}
	slices.SortFunc(peers, func(a, b ServedPeer) int { return bytes.Compare(a.Node.Bytes(), b.Node.Bytes()) })
	return peers
}

// Models returns the models that the node knows, in order of their collections.
func (n *Node) Models() []*schema.Model { return n.catalog.all() }

// ReadModels reads the models of a durable node from its store, in order of their
// collections. What does not fit is passed over, as the node does.
func ReadModels(ctx context.Context, store storage.Reader) ([]*schema.Model, error) {
	c := newCatalogued()
	all := &ankql.Selection{Where: ankql.True, Limit: ankql.NoLimit}
	for _, of := range []struct {
		collection string
		take       func(*proto.Record)
	}{{collectionModel, c.model}, {collectionProperty, c.property}} {
		for after, more := []byte(nil), true; more; {
			page, err := store.Scan(ctx, of.collection, all, after, storage.MaxPage)
			if err != nil {
				return nil, err
			}
			for _, r := range page.Records {
				of.take(r)
			}
			after, more = page.Next, page.More
		}
	}
	models := values(c.models)
	slices.SortFunc(models, func(a, b *schema.Model) int { return strings.Compare(a.Collection, b.Collection) })
	return models, nil
}

// Engine returns what keeps the node's data, for reading: only the node writes to it.
func (n *Node) Engine() storage.Engine { return n.engine }
