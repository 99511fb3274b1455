package browsertest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/coder/websocket"
)

// sockets are WebSocket endpoints that a client is tested against:
//
//	/ws/echo                   sends back every message, of whatever kind
//	/ws/close?code=C&reason=R  reads one message, then closes with code and reason
//	/ws/drop                   reads one message, then drops the connection without closing
//	/ws/refuse                 answers 403 instead of upgrading
//	/ws/hang                   never answers
//	/ws/text                   sends one text message, then reads until the end
//	/ws/flood?count=N&size=S   sends N messages of S bytes, each beginning with its number
//	                           in decimal and a space, then reads until the end
//	/ws/reason                 reads until the end; GET /ws/last-close then answers with
//	                           the close code and reason that one such client gave
//	/ws/relay?room=R           is joined with the client of /ws/relay?room=R&far, both being
//	                           binary; see relay
func sockets() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/echo", accept(echo))
	mux.HandleFunc("GET /ws/close", accept(closeWith))
	mux.HandleFunc("GET /ws/drop", accept(func(r *http.Request, c *websocket.Conn) { _, _, _ = c.Read(r.Context()) }))
	mux.HandleFunc("GET /ws/refuse", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "refused", http.StatusForbidden) })
	mux.HandleFunc("GET /ws/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /ws/text", accept(func(r *http.Request, c *websocket.Conn) {
		_ = c.Write(r.Context(), websocket.MessageText, []byte("text"))
		readToEnd(r.Context(), c)
	}))
	mux.HandleFunc("GET /ws/flood", accept(flood))
	closed := make(chan websocket.CloseError, 16)
	mux.HandleFunc("GET /ws/reason", accept(func(r *http.Request, c *websocket.Conn) {
		select {
		case closed <- readToEnd(r.Context(), c):
		default:
		}
	}))
	mux.HandleFunc("GET /ws/last-close", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-closed:
			_, _ = w.Write([]byte(strconv.Itoa(int(e.Code)) + " " + e.Reason))
		case <-r.Context().Done():
		}
	})
	var rooms rooms
	mux.HandleFunc("GET /ws/relay", accept(rooms.relay))
	return mux
}

func accept(serve func(*http.Request, *websocket.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(-1) // what a test sends is the test's business
		serve(r, c)
	}
}

func echo(r *http.Request, c *websocket.Conn) {
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

func closeWith(r *http.Request, c *websocket.Conn) {
	_, _, _ = c.Read(r.Context())
	code, _ := strconv.Atoi(r.URL.Query().Get("code"))
	_ = c.Close(websocket.StatusCode(code), r.URL.Query().Get("reason"))
}

func flood(r *http.Request, c *websocket.Conn) {
	count, _ := strconv.Atoi(r.URL.Query().Get("count"))
	size, _ := strconv.Atoi(r.URL.Query().Get("size"))
	for i := range count {
		message := make([]byte, size)
		copy(message, strconv.Itoa(i)+" ")
		if c.Write(r.Context(), websocket.MessageBinary, message) != nil {
			return
		}
	}
	readToEnd(r.Context(), c)
}

// readToEnd reads until the client closes, and says how it did.
func readToEnd(ctx context.Context, c *websocket.Conn) websocket.CloseError {
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return closeError(err)
		}
	}
}

func closeError(err error) websocket.CloseError {
	var e websocket.CloseError
	_ = errors.As(err, &e)
	return e
}

// rooms join pairs of clients, so that one program can be both ends of a connection
// through a real server. The near end speaks as it likes. The far end's messages begin
// with a byte that says what they are: 1, a message for the near end; 0, a request for
// one message from it. So the test decides when the server reads.
type rooms struct {
	mu   sync.Mutex
	near map[string]chan *websocket.Conn
}

func (s *rooms) room(name string) chan *websocket.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.near == nil {
		s.near = map[string]chan *websocket.Conn{}
	}
	if s.near[name] == nil {
		s.near[name] = make(chan *websocket.Conn)
	}
	return s.near[name]
}

func (s *rooms) relay(r *http.Request, c *websocket.Conn) {
	query := r.URL.Query()
	room := s.room(query.Get("room"))
	if !query.Has("far") {
		select {
		case room <- c:
			room <- nil // when the far end has done with it
		case <-r.Context().Done():
		}
		return
	}
	select {
	case near := <-room:
		defer func() { <-room }()
		join(r.Context(), near, c)
	case <-r.Context().Done():
	}
}

// join carries messages until either end closes, and tells the other how it did.
func join(ctx context.Context, near, far *websocket.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range requests {
			_, data, err := near.Read(ctx)
			if err != nil {
				passOn(far, err)
				return
			}
			if far.Write(ctx, websocket.MessageBinary, data) != nil {
				return
			}
		}
	}()
	for {
		_, data, err := far.Read(ctx)
		if err != nil {
			close(requests)
			passOn(near, err)
			break
		}
		if len(data) > 0 && data[0] == 1 {
			_ = near.Write(ctx, websocket.MessageBinary, data[1:])
			continue
		}
		select {
		case requests <- struct{}{}:
		case <-done:
		}
	}
	cancel()
	<-done
}

func passOn(c *websocket.Conn, err error) {
	e := closeError(err)
	if e.Code == 0 {
		_ = c.CloseNow()
		return
	}
	if e.Code == websocket.StatusNoStatusRcvd {
		e.Code = websocket.StatusNormalClosure
	}
	_ = c.Close(e.Code, e.Reason)
}
