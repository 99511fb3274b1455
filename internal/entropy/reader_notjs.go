//go:build !js

package entropy

import (
	"crypto/rand"
	"io"
)

// Reader returns random bytes and never fails; it may be used from many goroutines.
var Reader io.Reader = rand.Reader
