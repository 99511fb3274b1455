// Package leaktest finds goroutines that outlive the test that started them.
//
// Every goroutine of this module has an owner, a stop and a wait; a test that ends
// while one of its goroutines still runs has found one that has not. [Check] looks at
// one test, [Main] at a whole package:
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
//
// # Concurrency
//
// Check compares the goroutines at its call with those at the end of the test, and so
// cannot be used in tests that run in parallel with others.
package leaktest

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines that were told to stop may take to do so. It bounds
// only a failing run: a passing one goes on as soon as they are gone.
const patience = 15 * time.Second

// Check fails t, at its end, if goroutines that were started after the call still run.
// Cleanups registered after the call run before the comparison.
func Check(t testing.TB) {
	t.Helper()
	before := map[string]bool{}
	for id := range goroutines() {
		before[id] = true
	}
	t.Cleanup(func() {
		if t.Failed() {
			return // a test that ended early has reasons to leave things behind
		}
		for _, stack := range wait(func() map[string]string { return started(before) }) {
			t.Errorf("goroutine left behind:\n%s", stack)
		}
	})
}

// Main runs the tests of a package and exits; with 1 if goroutines are left although
// the tests passed.
func Main(m *testing.M) {
	before := map[string]bool{}
	for id := range goroutines() {
		before[id] = true
	}
	code := m.Run()
	if code == 0 {
		for _, stack := range wait(func() map[string]string { return started(before) }) {
			fmt.Fprintf(os.Stderr, "goroutine left behind after the tests:\n%s\n", stack)
			code = 1
		}
	}
	os.Exit(code)
}

// wait asks for what is left until nothing is, or until patience ends.
func wait(left func() map[string]string) map[string]string {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		stacks := left()
		if len(stacks) == 0 || time.Now().After(deadline) {
			return stacks
		}
		time.Sleep(pause)
	}
}

func started(before map[string]bool) map[string]string {
	now := goroutines()
	for id, stack := range now {
		if before[id] || harmless(stack) {
			delete(now, id)
		}
	}
	return now
}

// harmless reports goroutines that the runtime and package testing start for
// themselves, and that no test can stop.
func harmless(stack string) bool {
	for _, frame := range []string{
		"testing.(*T).Run(", "testing.(*F).Fuzz(", "testing.tRunner.func", "testing.runFuzzing(",
		"os/signal.signal_recv", "os/signal.loop", "runtime.ReadTrace", "runtime/pprof.",
		"syscall/js.handleEvent", "runtime.handleEvent(", "runtime.handleAsyncEvent",
	} {
		if strings.Contains(stack, frame) {
			return true
		}
	}
	return false
}

// goroutines returns the stacks of all goroutines but the calling one, by id.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := map[string]string{}
	for i, stack := range bytes.Split(buf, []byte("\n\n")) {
		if i == 0 {
			continue // the caller
		}
		id, _, ok := strings.Cut(strings.TrimPrefix(string(stack), "goroutine "), " ")
		if ok {
			stacks[id] = string(stack)
		}
	}
	return stacks
}
