package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Host is the kind of JavaScript context that a program runs in.
type Host string

// The hosts.
const (
	Page         Host = "page"
	Worker       Host = "worker"
	SharedWorker Host = "sharedworker"
)

// Options describe one run.
type Options struct {
	// Wasm is the path of the program. Required.
	Wasm string
	// WasmExec is the path of the wasm_exec.js that belongs to the toolchain which built
	// the program. Required.
	WasmExec string
	// Args are its arguments, the program's name not included.
	Args []string
	// Env are its environment variables, as NAME=value. Together with Args they may have
	// some 8 KB, a limit of wasm_exec.js.
	Env []string
	// Host is where it runs; the default is Page.
	Host Host
	// Chromium is the browser's path; the default is what [FindChromium] finds.
	Chromium string
	// Routes, if not nil, answers requests that are not the runner's own.
	Routes http.Handler
	// Stdout and Stderr receive what the program writes, and Stderr what the browser's
	// console shows as well. The default discards.
	Stdout, Stderr io.Writer
}

func (o *Options) ensureDefaults() error {
	if o.Host == "" {
		o.Host = Page
	}
	switch o.Host {
	case Page, Worker, SharedWorker:
	default:
		return fmt.Errorf("browsertest: no such host: %q", o.Host)
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	if o.Chromium == "" {
		path, err := FindChromium()
		if err != nil {
			return err
		}
		o.Chromium = path
	}
	return nil
}

// Run runs a program to its end and returns its exit code. It blocks until then, or
// until ctx ends; the browser and the listener are gone when it returns.
func Run(ctx context.Context, o Options) (code int, err error) {
	if err := o.ensureDefaults(); err != nil {
		return 0, err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("browsertest: %w", err)
	}
	s := newSite(&o, "http://"+listener.Addr().String())
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()

	b, err := startChromium(o.Chromium, func(m message) { s.browserEvent(m, end) })
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := s.open(ctx, b); err != nil {
		return 0, err
	}

	select {
	case r := <-s.result:
		s.drainConsole(ctx, b)
		return r.code, r.err
	case <-b.gone:
		return 0, errors.New("browsertest: the browser ended before the program did")
	case <-ctx.Done():
		return 0, fmt.Errorf("browsertest: %w", context.Cause(ctx))
	}
}
