// Command exec runs a js/wasm program in headless Chromium. It is made for
//
//	GOOS=js GOARCH=wasm go test -exec 'PATH-OF-THIS [-in page|worker|sharedworker]' PACKAGES
//
// Variables of the environment are handed on if their names begin with ANKURAH_, or if
// they are GODEBUG or GOTRACEBACK.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ankurah-go/ankurah/internal/browsertest"
)

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 2
	}
	os.Exit(code)
}

func run() (int, error) {
	host := flag.String("in", string(browsertest.Page), "where the program runs: page, worker or sharedworker")
	flag.Parse()
	if flag.NArg() == 0 {
		return 0, fmt.Errorf("usage: %s [-in page|worker|sharedworker] PROGRAM.wasm [ARGUMENT…]", filepath.Base(os.Args[0]))
	}
	wasmExec, err := wasmExecPath()
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	return browsertest.Run(ctx, browsertest.Options{
		Wasm:     flag.Arg(0),
		WasmExec: wasmExec,
		Args:     flag.Args()[1:],
		Env:      environment(),
		Host:     browsertest.Host(*host),
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
	})
}

// wasmExecPath asks the Go tool that built the program where its support script is.
func wasmExecPath() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"), nil
}

func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "ANKURAH_") || name == "GODEBUG" || name == "GOTRACEBACK" {
			env = append(env, v)
		}
	}
	return env
}
