package leaktest

import (
	"strings"
	"testing"
)

func TestGoroutineStartedAfterTheCallIsFound(t *testing.T) {
	before := map[string]bool{}
	for id := range goroutines() {
		before[id] = true
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		<-stop
	}()
	left := started(before)
	if len(left) != 1 {
		t.Fatalf("found %d goroutines, want the one that was started: %v", len(left), left)
	}
	for _, stack := range left {
		if !strings.Contains(stack, "TestGoroutineStartedAfterTheCallIsFound") {
			t.Errorf("the stack does not say where it was started:\n%s", stack)
		}
	}

	close(stop)
	<-stopped
	if left := wait(func() map[string]string { return started(before) }); len(left) != 0 {
		t.Errorf("still found after it ended: %v", left)
	}
}

func TestCheckIsSilentWhenNothingIsLeft(t *testing.T) {
	Check(t)
	done := make(chan struct{})
	go close(done)
	<-done
}
