// Command tikvcluster runs the cluster of package tikvtest as a process of its own, to try a
// server on it, or to run tests against it as against a production cluster:
//
//	go run ./storage/tikv/tikvtest/tikvcluster -stores 3
//	ankurah-server --storage tikv://127.0.0.1:PORT/try
//	ANKURAH_TIKV_PD=127.0.0.1:PORT go test ./storage/tikv
//
// It prints the address of its PD, keeps everything in memory, and ends on SIGTERM, SIGINT, or
// when its standard input ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

func main() {
	stores := flag.Int("stores", 1, "how many stores the cluster has")
	flag.Parse()
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	if err := run(ctx, *stores, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs a cluster until ctx or in ends.
func run(ctx context.Context, stores int, in io.Reader, out io.Writer) error {
	cluster, err := tikvtest.Start(max(stores, 1))
	if err != nil {
		return err
	}
	defer cluster.Stop()
	if _, err := fmt.Fprintln(out, cluster.PD()); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, in)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}
