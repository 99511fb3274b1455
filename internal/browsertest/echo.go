package browsertest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// echoRoutes are WebSocket endpoints that a client is tested against:
//
//	/ws/echo                   sends back every message, of whatever kind
//	/ws/close?code=C&reason=R  reads one message, then closes with code and reason
//	/ws/drop                   reads one message, then drops the connection without closing
//	/ws/refuse                 answers 403 instead of upgrading
//	/ws/hang                   never answers
//	/ws/text                   sends one text message, then reads until the end
//	/ws/flood?count=N&size=S   sends N messages of S bytes, each beginning with its number
//	                           in decimal and a space, then reads until the end
//	/ws/slow                   reads nothing for as long as the first message's text says
//	                           (a Go duration), then echoes the number of messages and
//	                           bytes that came after it each time it reads "count"
//	/ws/reason                 reads until the end; GET /ws/last-close then answers with
//	                           the close code and reason that the last such client gave
func echoRoutes() http.Handler {
	mux := http.NewServeMux()
	closed := make(chan websocket.CloseError, 16)
	mux.HandleFunc("GET /ws/echo", accept(echo))
	mux.HandleFunc("GET /ws/close", accept(closeWith))
	mux.HandleFunc("GET /ws/drop", accept(drop))
	mux.HandleFunc("GET /ws/text", accept(text))
	mux.HandleFunc("GET /ws/flood", accept(flood))
	mux.HandleFunc("GET /ws/slow", accept(slow))
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
	mux.HandleFunc("GET /ws/refuse", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "refused", http.StatusForbidden)
	})
	mux.HandleFunc("GET /ws/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
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

func drop(r *http.Request, c *websocket.Conn) {
	_, _, _ = c.Read(r.Context())
}

func text(r *http.Request, c *websocket.Conn) {
	_ = c.Write(r.Context(), websocket.MessageText, []byte("text"))
	readToEnd(r.Context(), c)
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

func slow(r *http.Request, c *websocket.Conn) {
	_, first, err := c.Read(r.Context())
	if err != nil {
		return
	}
	pause, _ := time.ParseDuration(string(first))
	select {
	case <-time.After(pause):
	case <-r.Context().Done():
	}
	messages, size := 0, 0
	for {
		_, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if string(data) != "count" {
			messages, size = messages+1, size+len(data)
			continue
		}
		answer := strings.Join([]string{strconv.Itoa(messages), strconv.Itoa(size)}, " ")
		if c.Write(r.Context(), websocket.MessageBinary, []byte(answer)) != nil {
			return
		}
	}
}

// readToEnd reads until the client closes, and says how it did.
func readToEnd(ctx context.Context, c *websocket.Conn) websocket.CloseError {
	for {
		if _, _, err := c.Read(ctx); err != nil {
			var closed websocket.CloseError
			_ = errors.As(err, &closed)
			return closed
		}
	}
}
