//go:build !js

package sha256

import "crypto/sha256"

// Sum256 returns the SHA-256 digest of the message.
func Sum256(message []byte) [Size]byte { return sha256.Sum256(message) }
