package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/server/config"
)

// peers tells the log how this server stands to the durable servers that it replicates with.
type peers struct {
	node *core.Node
	log  *slog.Logger
	stop chan struct{}
	done sync.WaitGroup
}

// peersEvery is how often it looks.
const peersEvery = time.Second

// connectPeers has the node replicate with the servers that are configured.
func connectPeers(node *core.Node, c *config.Config, log *slog.Logger) (*peers, error) {
	if len(c.Peers) == 0 {
		return nil, nil
	}
	var credentials []byte
	if c.PeerCredentials != "" {
		var err error
		if credentials, err = os.ReadFile(c.PeerCredentials); err != nil {
			return nil, fmt.Errorf("--peer-credentials: %w", err)
		}
	}
	for _, url := range c.Peers {
		node.Dial(ws.Dialer(url, ws.DialOptions{Limits: ws.Limits{MaxFrame: c.MaxFrame}}), core.DialOptions{Credentials: credentials})
	}
	p := &peers{node: node, log: log, stop: make(chan struct{})}
	p.done.Go(p.watch)
	return p, nil
}

// close ends the watching; the node ends the links.
func (p *peers) close() {
	if p != nil {
		close(p.stop)
		p.done.Wait()
	}
}

// watch tells of what changes.
func (p *peers) watch() {
	ticker := time.NewTicker(peersEvery)
	defer ticker.Stop()
	told := make(map[string]string)
	for {
		for _, r := range p.node.Replications() {
			if r.Dialled {
				p.tell(told, r)
			}
		}
		select {
		case <-ticker.C:
		case <-p.stop:
			return
		}
	}
}

func (p *peers) tell(told map[string]string, r core.Replication) {
	state := "connected"
	switch {
	case r.LastError != nil:
		state = r.LastError.Error()
	case !r.Connected:
		return // at first, or about to try again
	}
	if told[r.Remote] == state {
		return
	}
	told[r.Remote] = state
	if r.LastError != nil {
		p.log.Warn("replication stands still", "peer", r.Remote, "reason", state)
		return
	}
	p.log.Info("replicating", "peer", r.Remote, "node", r.Peer, "lag", r.Lag)
}

// writeReplications writes how far the server is with its peers, by their addresses or, of
// those that have dialled it, their node ids.
func (s *server) writeReplications(w io.Writer) {
	list := s.node.Replications()
	for _, m := range []struct {
		kind, name, help string
		value            func(*core.Replication) uint64
	}{
		{"gauge", "ankurah_replication_connected", "Whether the peer is connected.", func(r *core.Replication) uint64 {
			if r.Connected {
				return 1
			}
			return 0
		}},
		{"gauge", "ankurah_replication_lag", "Transactions of the peer that are still to come.", func(r *core.Replication) uint64 { return r.Lag }},
		{"gauge", "ankurah_replication_behind", "Transactions that the peer has not taken yet.", func(r *core.Replication) uint64 { return r.Behind }},
		{"counter", "ankurah_replication_taken_total", "Transactions of the peer that were new.", func(r *core.Replication) uint64 { return r.Taken }},
		{"counter", "ankurah_replication_refused_total", "Transactions of the peer that were refused.", func(r *core.Replication) uint64 { return r.Refused }},
		{"counter", "ankurah_replication_sent_total", "Transactions sent to the peer.", func(r *core.Replication) uint64 { return r.Sent }},
	} {
		for i := range list {
			if i == 0 {
				fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
			}
			peer := list[i].Remote
			if !list[i].Dialled {
				peer = list[i].Peer.String()
			}
			fmt.Fprintf(w, "%s{peer=%q} %d\n", m.name, peer, m.value(&list[i]))
		}
	}
}
