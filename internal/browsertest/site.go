package browsertest

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

//go:embed host.js
var hostScript []byte

const pageText = `<!doctype html><meta charset="utf-8"><title>browsertest</title><script src="/wasm_exec.js"></script><script src="/host.js"></script>`

// site is what the browser sees of one run.
type site struct {
	o      *Options
	origin string
	mux    *http.ServeMux
	result chan result // one
	once   sync.Once
	output sync.Mutex // held to write to Stdout or Stderr

	page struct {
		*devtools
		session string
	}
	ready chan struct{} // closed when page is set
}

type result struct {
	code int
	err  error
}

func newSite(o *Options, origin string) *site {
	s := &site{o: o, origin: origin, mux: http.NewServeMux(), result: make(chan result, 1), ready: make(chan struct{})}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, pageText)
	})
	s.mux.HandleFunc("GET /host.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(hostScript)
	})
	s.mux.HandleFunc("GET /wasm_exec.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, o.WasmExec) })
	s.mux.HandleFunc("GET /program.wasm", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/wasm")
		http.ServeFile(w, r, o.Wasm)
	})
	s.mux.HandleFunc("GET /program.json", s.program)
	s.mux.HandleFunc("GET /channel", s.channel)
	s.mux.HandleFunc("GET /browser/quota", s.quota)
	s.mux.HandleFunc("GET /browser/evict", s.evict)
	s.mux.Handle("GET /ws/", sockets())
	if o.Routes != nil {
		s.mux.Handle("/", o.Routes)
	}
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	s.mux.ServeHTTP(w, r)
}

// program tells the host script what to run.
func (s *site) program(w http.ResponseWriter, _ *http.Request) {
	env := map[string]string{}
	for _, v := range s.o.Env {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"argv": append([]string{s.o.Wasm}, s.o.Args...),
		"env":  env,
	})
}

// Kinds of messages on the channel from the program, their first byte.
const (
	toStdout = 1
	toStderr = 2
	exited   = 3 // the exit code in decimal
	failed   = 4 // why the program could not be run
)

// channel receives what the program writes, and its end.
func (s *site) channel(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1) // the program is ours
	for {
		_, data, err := c.Read(r.Context())
		if err != nil {
			s.finish(result{err: errors.New("browsertest: the page went away before the program ended")})
			return
		}
		if len(data) == 0 {
			continue
		}
		switch text := data[1:]; data[0] {
		case toStdout:
			s.write(s.o.Stdout, text)
		case toStderr:
			s.write(s.o.Stderr, text)
		case exited:
			code, err := strconv.Atoi(string(text))
			s.finish(result{code, err})
			return
		case failed:
			s.finish(result{err: fmt.Errorf("browsertest: %s", text)})
			return
		}
	}
}

func (s *site) write(w io.Writer, text []byte) {
	s.output.Lock()
	defer s.output.Unlock()
	_, _ = w.Write(text)
}

func (s *site) finish(r result) { s.once.Do(func() { s.result <- r }) }

// open makes the page and lets it run the program.
func (s *site) open(ctx context.Context, b *chromium) error {
	var target struct {
		TargetID string `json:"targetId"`
	}
	if err := b.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return fmt.Errorf("%w\n%s", err, b.stderr.String())
	}
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	if err := b.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return err
	}
	s.page.devtools, s.page.session = b.devtools, attached.SessionID
	close(s.ready)
	for _, method := range []string{"Runtime.enable", "Inspector.enable"} {
		if err := b.call(ctx, s.page.session, method, struct{}{}, nil); err != nil {
			return err
		}
	}
	url := s.origin + "/?in=" + string(s.o.Host)
	return b.call(ctx, s.page.session, "Page.navigate", map[string]any{"url": url}, nil)
}

// drainConsole waits until what the page wrote to its console before now has been shown:
// the browser answers a command after the events that came before it. A page that cannot
// answer has nothing more to show.
func (s *site) drainConsole(ctx context.Context, b *chromium) {
	ctx, cancel := context.WithTimeout(ctx, exitGrace)
	defer cancel()
	_ = b.call(ctx, s.page.session, "Runtime.evaluate", map[string]any{"expression": "0"}, nil)
}

// browserEvent shows what the console shows, and ends the run when the page cannot.
func (s *site) browserEvent(m message, end context.CancelCauseFunc) {
	switch m.Method {
	case "Inspector.targetCrashed":
		end(errors.New("the page crashed"))
	case "Runtime.exceptionThrown":
		var p struct {
			Details struct {
				Text      string `json:"text"`
				Exception struct {
					Description string `json:"description"`
				} `json:"exception"`
			} `json:"exceptionDetails"`
		}
		_ = json.Unmarshal(m.Params, &p)
		end(fmt.Errorf("uncaught in the page: %s %s", p.Details.Text, p.Details.Exception.Description))
	case "Runtime.consoleAPICalled":
		var p struct {
			Type string `json:"type"`
			Args []struct {
				Value       any    `json:"value"`
				Description string `json:"description"`
			} `json:"args"`
		}
		_ = json.Unmarshal(m.Params, &p)
		line := "console." + p.Type + ":"
		for _, a := range p.Args {
			if a.Description != "" {
				line += " " + a.Description
			} else {
				line += fmt.Sprintf(" %v", a.Value)
			}
		}
		s.write(s.o.Stderr, []byte(line+"\n"))
	}
}

// quota answers GET /browser/quota?bytes=N.
func (s *site) quota(w http.ResponseWriter, r *http.Request) {
	params := map[string]any{"origin": s.origin}
	if text := r.URL.Query().Get("bytes"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		params["quotaSize"] = n
	}
	s.command(w, r, "Storage.overrideQuotaForOrigin", params)
}

// evict answers GET /browser/evict.
func (s *site) evict(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "Storage.clearDataForOrigin", map[string]any{"origin": s.origin, "storageTypes": "all"})
}

func (s *site) command(w http.ResponseWriter, r *http.Request, method string, params any) {
	<-s.ready // the page asks, so that it is there
	if err := s.page.call(r.Context(), s.page.session, method, params, nil); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
