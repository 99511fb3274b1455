package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// meter says how far something is: on a terminal in one line that changes, else by a line now
// and then. It is not safe for concurrent use.
type meter struct {
	out      io.Writer
	quiet    bool
	terminal bool
	begun    time.Time
	last     time.Time
	width    int
}

func newMeter(p *program, quiet bool) *meter {
	return &meter{out: p.stderr, quiet: quiet, terminal: isTerminal(p.stderr), begun: time.Now(), last: time.Now()}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// How often a meter says something.
const (
	terminalEvery = 200 * time.Millisecond
	lineEvery     = 10 * time.Second
)

// show says where it is, unless that was said a moment ago.
func (m *meter) show(text func() string) {
	every := lineEvery
	if m.terminal {
		every = terminalEvery
	}
	if now := time.Now(); !m.quiet && now.Sub(m.last) >= every {
		m.last = now
		m.print(text(), !m.terminal)
	}
}

// end says the last word.
func (m *meter) end(format string, args ...any) {
	if !m.quiet {
		m.print(fmt.Sprintf(format, args...)+" in "+m.elapsed(), true)
	}
}

func (m *meter) print(text string, final bool) {
	pad := strings.Repeat(" ", max(0, m.width-len(text)))
	m.width = len(text)
	if m.terminal {
		fmt.Fprint(m.out, "\r")
	}
	fmt.Fprint(m.out, text, pad)
	if final {
		m.width = 0
		fmt.Fprintln(m.out)
	}
}

func (m *meter) elapsed() string {
	d := time.Since(m.begun)
	if d < time.Minute {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// rate returns how many there were in each second.
func (m *meter) rate(n uint64) string {
	return fmt.Sprintf("%.0f/s", float64(n)/max(time.Since(m.begun).Seconds(), 1e-3))
}

// size writes a number of bytes.
func size(bytes int64) string {
	switch {
	case bytes < 10<<10:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 10<<20:
		return fmt.Sprintf("%d KiB", bytes>>10)
	case bytes < 10<<30:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d GiB", bytes>>30)
}
