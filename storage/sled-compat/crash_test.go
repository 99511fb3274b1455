package sledcompat

import (
	"bytes"
	"math/rand/v2"
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
		storagetest.RunAndKill(t, &acknowledged, 1+rng.IntN(120), roleVar+"=write", dirVar+"="+dir)
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
