package storagetest

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// RunAndKill runs the test's own binary, with more in its environment that has it call
// WriteUntilKilled, copies what that acknowledges, and kills it once there were so many lines.
func RunAndKill(t testing.TB, acknowledged *bytes.Buffer, lines int, env ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for part := make([]byte, 256); lines > 0; {
		n, err := out.Read(part)
		acknowledged.Write(part[:n])
		lines -= bytes.Count(part[:n], []byte("\n"))
		if err != nil {
			t.Fatalf("the writer ended by itself: %v\n%s", err, complaints.String())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	acknowledged.Write(rest)
	acknowledged.WriteByte('\n') // a line may have been cut off
	if err := cmd.Wait(); err == nil {
		t.Fatal("the writer was not killed")
	}
}
