package ws

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// look reports whether the peer has closed the connection, as far as the system knows, though
// there may be more to read that it sent before; and if not, whether it has taken all that was
// sent, so that a little more can be written without waiting.
func look(raw syscall.RawConn) (hungUp, idle bool) {
	fds := []unix.PollFd{{Events: unix.POLLRDHUP}}
	err := raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		n, err := unix.Poll(fds, 0)
		hungUp = n == 1 && err == nil
		unsent, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
		idle = unsent == 0 && err == nil
	})
	return hungUp && err == nil, idle && err == nil
}
