package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// attacker is somebody at another address than the bystanders', who sends what he likes.
type attacker struct {
	t       testing.TB
	ctx     context.Context // ends when the attack does
	address string          // of the server
	from    *net.TCPAddr    // where he comes from
	r       *rand.Rand
}

// tcp opens a connection, which is closed when the attack ends.
func (a *attacker) tcp() (net.Conn, error) {
	d := net.Dialer{LocalAddr: a.from, Timeout: patience}
	conn, err := d.DialContext(a.ctx, "tcp", a.address)
	if err == nil {
		context.AfterFunc(a.ctx, func() { conn.Close() })
	}
	return conn, err
}

// upgraded opens a connection on which WebSocket frames can be written by hand.
func (a *attacker) upgraded() (net.Conn, *bufio.Reader, error) {
	conn, err := a.tcp()
	if err != nil {
		return nil, nil, err
	}
	_, err = conn.Write([]byte("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(response.Status)
	}
	return conn, in, err
}

// ended waits until the server closes a connection, whatever it sends before that.
func (a *attacker) ended(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4096)
	for {
		if _, err := conn.Read(b); err != nil {
			var timeout net.Error
			return !errors.As(err, &timeout) || !timeout.Timeout()
		}
	}
}

// frame returns a masked WebSocket frame that claims to have so many bytes.
func frame(opcode byte, claimed uint64, payload []byte) []byte {
	b := []byte{opcode}
	switch {
	case claimed < 126:
		b = append(b, 0x80|byte(claimed))
	case claimed < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(claimed))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), claimed)
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// peer is a connection on which frames of the protocol are sent, honest or not.
type peer struct {
	*attacker
	conn  connectors.Conn
	node  id.NodeID
	nonce uint64
}

// peer connects and says hello. It fails where there are too many.
func (a *attacker) peer() (*peer, error) {
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: a.from, Timeout: patience}).DialContext}
	context.AfterFunc(a.ctx, transport.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	defer cancel()
	conn, err := ws.Dialer("ws://"+a.address, ws.DialOptions{Client: &http.Client{Transport: transport}}).Dial(ctx)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(a.ctx, func() { conn.Close("") })
	p := &peer{attacker: a, conn: conn, node: id.NodeID{ULID: id.New(nil)}}
	p.send(&proto.Hello{Node: p.node, Time: time.Now().UnixMicro()})
	_, err = next[*proto.Catalog](p)
	return p, err
}

func (p *peer) send(f proto.Frame) bool { return p.sendBytes(proto.AppendFrame(nil, f)) }

// sendBytes reports whether the connection takes a frame.
func (p *peer) sendBytes(b []byte) bool { return p.conn.Send(p.ctx, b) == nil }

// next returns the next frame of a type.
func next[F proto.Frame](p *peer) (frame F, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		b, err := p.conn.Receive(ctx)
		if err != nil {
			return frame, err
		}
		switch f, err := proto.DecodeFrame(b); m := f.(type) {
		case F:
			return m, nil
		case *proto.Refuse:
			return frame, errors.New(m.Message)
		default:
			if err != nil {
				return frame, err
			}
		}
	}
}

// ended checks that the server ends the connection, and says why.
func (p *peer) ended() {
	p.t.Helper()
	if _, err := next[*proto.Refuse](p); err != nil && p.ctx.Err() == nil {
		p.t.Errorf("the server does not say why it ends the connection: %v", err)
	}
}

// ignore reads whatever comes, until the connection ends.
func (p *peer) ignore() {
	go func() {
		for {
			if _, err := p.conn.Receive(p.ctx); err != nil {
				return
			}
		}
	}()
}

// creation returns an event that creates an album, which the bystanders do not watch.
func (p *peer) creation(name string) *proto.Event {
	p.nonce++
	e := &proto.Event{Collection: "album", Author: p.node, Operations: set("artist", name)}
	binary.LittleEndian.PutUint64(e.Nonce[:], p.nonce)
	return p.mint(e, time.Now())
}

func (p *peer) edit(on *proto.Event, name string) *proto.Event {
	return p.mint(&proto.Event{Collection: on.Collection, Entity: on.Entity, Parents: proto.NewClock(on.ID), Author: p.node,
		Operations: set("artist", name)}, time.Now())
}

// mint gives an event an id; it is nobody's fault but the attacker's.
func (p *peer) mint(e *proto.Event, at time.Time) *proto.Event {
	if err := e.Mint(max(id.StampAt(at), e.Parents.Stamp()+1)); err != nil {
		p.t.Error(err)
	}
	return e
}

func set(property, text string) []proto.Operation {
	return []proto.Operation{{Property: property, Kind: lww.Code, Data: value.Append(nil, value.String(text))}}
}

func commit(events ...*proto.Event) *proto.Commit {
	return &proto.Commit{Transaction: id.TransactionID{ULID: id.New(nil)}, Events: events}
}

// either repeats a text with something between.
func either(term string, count int) string {
	return strings.TrimSuffix(strings.Repeat(term+" OR ", count), " OR ")
}
