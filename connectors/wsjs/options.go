package wsjs

import "errors"

// What may go wrong here and nowhere else.
var (
	// ErrUnsupported: this JavaScript runtime has no WebSocket.
	ErrUnsupported = errors.New("wsjs: this environment has no WebSocket")
	// ErrOverflow: frames arrived faster than they were received. The connection has
	// ended; dial again and resume.
	ErrOverflow = errors.New("wsjs: more was received than may be kept")
)

// Options are a dialer's settings; the zero value has the defaults.
type Options struct {
	// MaxFrame is the size in bytes of the largest frame, sent or received; default
	// proto.MaxFrame.
	MaxFrame int
	// QueueFrames and QueueBytes bound what the browser holds to be sent; Send blocks
	// when either is reached. One frame may always wait, whatever its size. Default 256
	// frames and 1 MiB.
	QueueFrames int
	QueueBytes  int
	// ReceiveFrames and ReceiveBytes bound what has arrived and was not received yet;
	// what exceeds them ends the connection. One frame may always wait, whatever its
	// size. Default 65536 frames and 32 MiB.
	ReceiveFrames int
	ReceiveBytes  int
}
