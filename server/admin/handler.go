package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Options are what a handler answers from. All are required.
type Options struct {
	Node  *core.Node
	Store storage.Engine // the node's
	// Server tells of the server, peers aside.
	Server func() Server
	// Drain has clients go to other servers, and returns when they have gone.
	Drain func(context.Context) error
	// Failed is told of an answer that ended with an error.
	Failed func(what string, err error)
}

// handler answers the requests of a Client.
type handler struct{ Options }

// Handler returns what answers on the socket:
//
//	GET  /inspect              an Inspection
//	GET  /entities/ID          an Entity
//	POST /archive?follow=true  an archive; the body is empty, or says behind what
//	POST /drain                nothing, once no client is served any more
//	GET  /debug/pprof/NAME     a profile of the process, as net/http/pprof names them: heap, goroutine, profile, trace, …
func Handler(o Options) http.Handler {
	h := &handler{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inspect", h.inspect)
	mux.HandleFunc("GET /entities/{id}", h.entity)
	mux.HandleFunc("POST /archive", h.archive)
	mux.HandleFunc("POST /drain", h.drain)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (h *handler) inspect(w http.ResponseWriter, r *http.Request) {
	who, err := core.ReadIdentity(r.Context(), h.Store)
	if err == nil {
		who.Node = h.Node.ID()
		var in *Inspection
		if in, err = inspect(r.Context(), h.Store, who, h.Node.Models()); err == nil {
			server := h.Server()
			server.Peers = peers(h.Node)
			server.Watches = h.Node.Watches()
			in.Server = &server
			h.answer(w, "inspect", in)
			return
		}
	}
	h.refuse(w, "inspect", http.StatusInternalServerError, err)
}

func peers(n *core.Node) []Peer {
	var list []Peer
	for _, p := range n.ServedPeers() {
		peer := Peer{Node: p.Node.String(), Remote: p.Remote, User: p.User, Durable: p.Durable}
		for _, s := range p.Subscriptions {
			peer.Subscriptions = append(peer.Subscriptions, Subscription(s))
		}
		list = append(list, peer)
	}
	return list
}

func (h *handler) entity(w http.ResponseWriter, r *http.Request) {
	e, err := id.ParseEntity(r.PathValue("id"))
	if err != nil {
		h.refuse(w, "entity", http.StatusBadRequest, err)
		return
	}
	found, err := InspectEntity(r.Context(), h.Store, e)
	switch {
	case err != nil:
		h.refuse(w, "entity", http.StatusInternalServerError, err)
	case found == nil:
		h.refuse(w, "entity", http.StatusNotFound, errors.New("there is no entity "+e.String()))
	default:
		h.answer(w, "entity", found)
	}
}

func (h *handler) drain(w http.ResponseWriter, r *http.Request) {
	if err := h.Drain(r.Context()); err != nil {
		h.refuse(w, "drain", http.StatusInternalServerError, err)
	}
}

// maxFrom bounds what a request for an archive says.
const maxFrom = 4 << 20

func (h *handler) archive(w http.ResponseWriter, r *http.Request) {
	o := archive.DumpOptions{Follow: r.URL.Query().Get("follow") == "true", Still: h.Node.Still}
	o.Writer.Compression = archive.Uncompressed // it does not leave the machine
	if r.URL.Query().Get("compress") == "true" {
		o.Writer.Compression = archive.Zstandard
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFrom))
	if err == nil && len(body) > 0 {
		var from *archive.Restored
		if from, err = archive.DecodeRestored(body); err == nil {
			o.From = from.Progress()
		}
	}
	if err != nil {
		h.refuse(w, "archive", http.StatusBadRequest, err)
		return
	}
	out := &flushing{out: w, control: http.NewResponseController(w)}
	_, err = archive.Dump(r.Context(), h.Store, out, o)
	switch {
	case err == nil || r.Context().Err() != nil:
	case out.begun:
		h.Failed("archive", err)
		panic(http.ErrAbortHandler) // the archive has no end, and the other side notices
	case errors.Is(err, archive.ErrOther) || errors.Is(err, archive.ErrUnsuited):
		h.refuse(w, "archive", http.StatusConflict, err)
	default:
		h.refuse(w, "archive", http.StatusInternalServerError, err)
	}
}

// flushing hands on what is written at once: who follows waits for it.
type flushing struct {
	out     http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

// Write implements io.Writer.
func (f *flushing) Write(b []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.out.Header().Set("Content-Type", "application/octet-stream")
	}
	_ = f.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := f.out.Write(b)
	if err != nil {
		return n, err
	}
	return n, f.control.Flush()
}

// writeTimeout is how long who asked for an archive may take to take a part of it.
const writeTimeout = 5 * time.Minute

func (h *handler) answer(w http.ResponseWriter, what string, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.Failed(what, err)
	}
}

func (h *handler) refuse(w http.ResponseWriter, what string, status int, err error) {
	if status == http.StatusInternalServerError {
		h.Failed(what, err)
	}
	http.Error(w, err.Error(), status)
}
