package sha256

// Sum256 returns the SHA-256 digest of the message.
func Sum256(message []byte) [Size]byte { return portable(message) }
