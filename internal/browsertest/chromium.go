package browsertest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// FindChromium returns the path of the browser: $CHROMIUM, or the first of the usual
// names that is in the PATH.
func FindChromium() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("browsertest: no Chromium found: install it, or set CHROMIUM to its path")
}

// exitGrace is how long a browser that was asked to end may take before it is killed.
const exitGrace = 5 * time.Second

// chromium is one browser process with its profile, driven through a pipe.
type chromium struct {
	*devtools
	cmd     *exec.Cmd
	profile string
	stderr  tail
	gone    chan struct{} // closed when the process has ended
}

// startChromium starts a browser without a page; events are handed to onEvent one by
// one, which must not block.
func startChromium(path string, onEvent func(message)) (*chromium, error) {
	profile, err := os.MkdirTemp("", "browsertest-")
	if err != nil {
		return nil, fmt.Errorf("browsertest: %w", err)
	}
	// The browser reads commands from its descriptor 3 and writes to its descriptor 4.
	commandsIn, commandsOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("browsertest: %w", err), os.RemoveAll(profile))
	}
	eventsIn, eventsOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("browsertest: %w", err), commandsIn.Close(), commandsOut.Close(), os.RemoveAll(profile))
	}
	c := &chromium{profile: profile, gone: make(chan struct{})}
	c.cmd = exec.Command(path, chromiumFlags(profile)...)
	c.cmd.ExtraFiles = []*os.File{commandsIn, eventsOut}
	c.cmd.Stderr = &c.stderr
	err = c.cmd.Start()
	_, _ = commandsIn.Close(), eventsOut.Close()
	if err != nil {
		_, _ = commandsOut.Close(), eventsIn.Close()
		return nil, errors.Join(fmt.Errorf("browsertest: start %s: %w", path, err), os.RemoveAll(profile))
	}
	c.devtools = newDevtools(commandsOut, eventsIn, onEvent)
	go func() {
		_ = c.cmd.Wait()
		close(c.gone)
	}()
	return c, nil
}

func chromiumFlags(profile string) []string {
	flags := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-breakpad", "--disable-extensions", "--mute-audio",
		// A test in a page that is not in front must not run slower than one that is.
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		"--remote-debugging-pipe", "--user-data-dir=" + profile,
	}
	if os.Geteuid() == 0 {
		flags = append(flags, "--no-sandbox") // Chromium refuses to sandbox for root
	}
	return append(flags, "about:blank")
}

// close ends the browser and removes its profile.
func (c *chromium) close() error {
	c.devtools.close() // the browser ends when its pipe does
	select {
	case <-c.gone:
	case <-time.After(exitGrace):
		_ = c.cmd.Process.Kill()
		<-c.gone
	}
	c.devtools.wait()
	return c.removeProfile()
}

// removeProfile tries for a while: helper processes may still be writing for a moment
// after the browser itself has ended.
func (c *chromium) removeProfile() error {
	var err error
	for deadline := time.Now().Add(exitGrace); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = os.RemoveAll(c.profile); err == nil {
			return nil
		}
	}
	return fmt.Errorf("browsertest: remove profile: %w", err)
}

// tail keeps the end of what is written to it, to explain a browser that did not start.
type tail struct{ bytes.Buffer }

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if over := t.Len() - tailSize; over > 0 {
		t.Next(over)
	}
	return n, err
}
