// Command program is what the tests of package browsertest run in the browser. Its
// first argument says what it does.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall/js"
)

func main() {
	switch os.Args[1] {
	case "report":
		g := js.Global()
		fmt.Println("args", os.Args[1:])
		fmt.Println("env", os.Getenv("ANKURAH_TEST"))
		fmt.Println("document", g.Get("document").Truthy())
		fmt.Println("shared", g.Get("SharedWorkerGlobalScope").Truthy())
		fmt.Println("isolated", g.Get("crossOriginIsolated").Bool())
		fmt.Println("secure", g.Get("isSecureContext").Bool())
		fmt.Println("indexedDB", g.Get("indexedDB").Truthy())
		_, err := os.ReadDir("testdata")
		fmt.Println("files", !errors.Is(err, fs.ErrNotExist))
		fmt.Fprintln(os.Stderr, "to stderr")
	case "exit":
		os.Exit(7)
	case "panic":
		panic("as asked")
	case "console":
		js.Global().Get("console").Call("warn", "to the console", 42)
	case "throw":
		js.Global().Call("eval", "setTimeout(() => { throw new Error('thrown in the page') }, 0)")
		select {}
	case "leave":
		js.Global().Get("location").Call("replace", "about:blank")
		select {}
	case "hang":
		fmt.Println("hanging")
		select {}
	}
}
