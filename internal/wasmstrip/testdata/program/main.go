// Command program does what a stripped runtime could get wrong: it panics and recovers
// through inlined and deferred calls, grows stacks, collects garbage under load, blocks
// and times out.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

func main() {
	debug.SetGCPercent(10)
	check("recover", recovers(func() { panic(errors.New("own")) }) == "own")
	check("index", strings.Contains(recovers(func() { _ = []int{}[len(os.Args)+5] }), "index out of range"))
	check("nil", strings.Contains(recovers(func() { var p *int; *p = 1 }), "nil pointer"))
	check("nested", recovers(func() { defer func() { panic("second") }(); panic("first") }) == "second")
	check("goexit", goexit())
	check("stack", depth(100_000) == 100_000)
	check("load", load())
	check("caller", caller())
	runtime.GC()
	time.Sleep(time.Millisecond)
	fmt.Println("done", runtime.NumGoroutine())
}

func check(what string, ok bool) {
	if !ok {
		fmt.Println("wrong:", what)
		os.Exit(1)
	}
}

func recovers(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

func goexit() bool {
	done := make(chan bool)
	go func() {
		defer close(done)
		defer func() { recover() }()
		runtime.Goexit()
	}()
	<-done
	return true
}

func depth(n int) int {
	var pad [16]int
	pad[n%16] = 1
	if n == 0 {
		return pad[0] - 1
	}
	return depth(n-1) + pad[n%16]
}

func load() bool {
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for i := range 50 {
		wg.Go(func() {
			keep := map[string][]byte{}
			for j := range 200 {
				keep[fmt.Sprint(i, j%17)] = make([]byte, j*7)
				if j%50 == 0 {
					runtime.Gosched()
				}
			}
			mu.Lock()
			total += len(keep)
			mu.Unlock()
		})
	}
	wg.Wait()
	return total == 50*17
}

// caller: what is not known is said to be unknown, without a crash.
func caller() bool {
	pc, _, _, _ := runtime.Caller(0)
	runtime.FuncForPC(pc).Name()
	return len(debug.Stack()) > 0
}
