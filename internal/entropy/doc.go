// Package entropy is where ids and nonces come from unless an option says otherwise: the
// system's random numbers.
//
// Natively they are crypto/rand's. In a browser they are the runtime's own, a ChaCha8
// generator that the system seeds: crypto/rand would ask JavaScript for every few bytes,
// and link ciphers that are never run. Nothing that is made of them is a secret.
package entropy
