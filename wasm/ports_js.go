//go:build js && wasm

package main

import (
	"syscall/js"

	"github.com/ankurah-go/ankurah/wasm/bridge"
)

// ports are the pages by the numbers that the host gave them. JavaScript calls one function
// at a time and no goroutine touches the map, so it needs no lock.
type ports struct {
	bridge   *bridge.Bridge
	host     js.Value
	bytes    js.Value // the Uint8Array class
	sessions map[int]*bridge.Session

	receive, disconnect js.Func
}

func newPorts(b *bridge.Bridge, host js.Value) *ports {
	p := &ports{bridge: b, host: host, bytes: js.Global().Get("Uint8Array"), sessions: make(map[int]*bridge.Session)}
	p.receive = js.FuncOf(p.onReceive)
	p.disconnect = js.FuncOf(p.onDisconnect)
	return p
}

// onReceive is called with a port and a frame from its page.
func (p *ports) onReceive(_ js.Value, args []js.Value) any {
	port, array := args[0].Int(), args[1]
	b := make([]byte, array.Length())
	js.CopyBytesToGo(b, array)
	session := p.sessions[port]
	if session == nil {
		session = p.bridge.Connect(func(b []byte) { p.message(port, b) })
		p.sessions[port] = session
	}
	session.Receive(b)
	return nil
}

// onDisconnect is called with a port whose page is gone.
func (p *ports) onDisconnect(_ js.Value, args []js.Value) any {
	port := args[0].Int()
	if session := p.sessions[port]; session != nil {
		session.Close()
		delete(p.sessions, port)
	}
	return nil
}

// message hands a frame to the host, which owns the array.
func (p *ports) message(port int, b []byte) {
	array := p.bytes.New(len(b))
	js.CopyBytesToJS(array, b)
	p.host.Call("message", port, array)
}

func (p *ports) release() {
	p.receive.Release()
	p.disconnect.Release()
}
