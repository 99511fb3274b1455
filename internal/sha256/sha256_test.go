package sha256

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Of every length around those at which the padding changes, and of many random messages,
// the digest is the standard library's.
func TestPortableIsSHA256(t *testing.T) {
	check := func(message []byte) {
		t.Helper()
		if got, want := portable(message), sha256.Sum256(message); got != want {
			t.Fatalf("%d bytes %x: %x, want %x", len(message), message, got, want)
		}
	}
	rng := rand.NewChaCha8([32]byte{1})
	message := make([]byte, 300)
	rng.Read(message)
	for n := range message {
		check(message[:n])
	}
	for range 200 {
		b := make([]byte, rng.Uint64()%5000)
		rng.Read(b)
		check(b)
	}
	check(bytes.Repeat([]byte{0xff}, 1<<16))
}

// The examples of FIPS 180-4.
func TestExamples(t *testing.T) {
	for message, want := range map[string]string{
		"":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	} {
		for name, sum := range map[string]func([]byte) [Size]byte{"portable": portable, "Sum256": Sum256} {
			if got := sum([]byte(message)); hex.EncodeToString(got[:]) != want {
				t.Errorf("%s of %q: %x, want %s", name, message, got, want)
			}
		}
	}
}

func FuzzPortable(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if portable(message) != sha256.Sum256(message) {
			t.Errorf("%x", message)
		}
	})
}

// An event of an album is some 400 bytes.
func BenchmarkSum256(b *testing.B) {
	for _, n := range []int{64, 400, 4096} {
		message := make([]byte, n)
		for name, sum := range map[string]func([]byte) [Size]byte{"portable": portable, "standard": sha256.Sum256} {
			b.Run(fmt.Sprintf("%s/bytes=%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					sum(message)
				}
			})
		}
	}
}
