package sledcompat

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// A process that is killed while it commits loses nothing that it acknowledged, and
// leaves no part of a batch.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	var acknowledged bytes.Buffer
	var before uint64
	for round := range 6 {
		// Kill it after some acknowledgements, at whatever point it has reached by then.
		runAndKill(t, dir, &acknowledged, 1+rng.IntN(120))
		e := open(t, dir)
		stored := storagetest.VerifyAcknowledged(t, e, bytes.NewReader(acknowledged.Bytes()))
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if stored <= before {
			t.Fatalf("round %d: no progress beyond %d batches", round, before)
		}
		before = stored
	}
	t.Logf("%d batches stored", before)
}

// runAndKill runs the writer over dir, copies its acknowledgements, and kills it once
// there were so many lines.
func runAndKill(t *testing.T, dir string, acknowledged *bytes.Buffer, lines int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"=write", dirVar+"="+dir)
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
