package sha256

import (
	"encoding/binary"
	"math/bits"
)

// blockSize is how many bytes are taken in at a time.
const blockSize = 64

var initial = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

var constants = [4][16]uint32{
	{0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174},
	{0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967},
	{0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070},
	{0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2},
}

func sum0(x uint32) uint32 {
	return bits.RotateLeft32(x, -2) ^ bits.RotateLeft32(x, -13) ^ bits.RotateLeft32(x, -22)
}

func sum1(x uint32) uint32 {
	return bits.RotateLeft32(x, -6) ^ bits.RotateLeft32(x, -11) ^ bits.RotateLeft32(x, -25)
}

func sigma0(x uint32) uint32 {
	return bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
}

func sigma1(x uint32) uint32 {
	return bits.RotateLeft32(x, -17) ^ bits.RotateLeft32(x, -19) ^ x>>10
}

// portable is SHA-256 as FIPS 180-4 has it, section 6.2. Rounds are written out by
// sixteen, so that neither the eight variables nor the sixteen words of the schedule
// change places.
func portable(message []byte) (digest [Size]byte) {
	s := initial
	whole := len(message) &^ (blockSize - 1)
	blocks(&s, message[:whole])
	// What remains, a one bit, zeros, and the length in bits.
	var tail [2 * blockSize]byte
	n := copy(tail[:], message[whole:])
	tail[n] = 0x80
	end := blockSize
	if n+1+8 > blockSize {
		end = 2 * blockSize
	}
	binary.BigEndian.PutUint64(tail[end-8:], uint64(len(message))<<3)
	blocks(&s, tail[:end])
	for i, word := range s {
		binary.BigEndian.PutUint32(digest[4*i:], word)
	}
	return digest
}

func blocks(s *[8]uint32, p []byte) {
	var w [16]uint32
	k0 := &constants[0]
	for ; len(p) >= blockSize; p = p[blockSize:] {
		a, b, c, d, e, f, g, h := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		_ = p[blockSize-1]
		w[0] = binary.BigEndian.Uint32(p[0:])
		h += sum1(e) + (g ^ e&(f^g)) + k0[0] + w[0]
		d += h
		h += sum0(a) + (a&(b^c) ^ b&c)
		w[1] = binary.BigEndian.Uint32(p[4:])
		g += sum1(d) + (f ^ d&(e^f)) + k0[1] + w[1]
		c += g
		g += sum0(h) + (h&(a^b) ^ a&b)
		w[2] = binary.BigEndian.Uint32(p[8:])
		f += sum1(c) + (e ^ c&(d^e)) + k0[2] + w[2]
		b += f
		f += sum0(g) + (g&(h^a) ^ h&a)
		w[3] = binary.BigEndian.Uint32(p[12:])
		e += sum1(b) + (d ^ b&(c^d)) + k0[3] + w[3]
		a += e
		e += sum0(f) + (f&(g^h) ^ g&h)
		w[4] = binary.BigEndian.Uint32(p[16:])
		d += sum1(a) + (c ^ a&(b^c)) + k0[4] + w[4]
		h += d
		d += sum0(e) + (e&(f^g) ^ f&g)
		w[5] = binary.BigEndian.Uint32(p[20:])
		c += sum1(h) + (b ^ h&(a^b)) + k0[5] + w[5]
		g += c
		c += sum0(d) + (d&(e^f) ^ e&f)
		w[6] = binary.BigEndian.Uint32(p[24:])
		b += sum1(g) + (a ^ g&(h^a)) + k0[6] + w[6]
		f += b
		b += sum0(c) + (c&(d^e) ^ d&e)
		w[7] = binary.BigEndian.Uint32(p[28:])
		a += sum1(f) + (h ^ f&(g^h)) + k0[7] + w[7]
		e += a
		a += sum0(b) + (b&(c^d) ^ c&d)
		w[8] = binary.BigEndian.Uint32(p[32:])
		h += sum1(e) + (g ^ e&(f^g)) + k0[8] + w[8]
		d += h
		h += sum0(a) + (a&(b^c) ^ b&c)
		w[9] = binary.BigEndian.Uint32(p[36:])
		g += sum1(d) + (f ^ d&(e^f)) + k0[9] + w[9]
		c += g
		g += sum0(h) + (h&(a^b) ^ a&b)
		w[10] = binary.BigEndian.Uint32(p[40:])
		f += sum1(c) + (e ^ c&(d^e)) + k0[10] + w[10]
		b += f
		f += sum0(g) + (g&(h^a) ^ h&a)
		w[11] = binary.BigEndian.Uint32(p[44:])
		e += sum1(b) + (d ^ b&(c^d)) + k0[11] + w[11]
		a += e
		e += sum0(f) + (f&(g^h) ^ g&h)
		w[12] = binary.BigEndian.Uint32(p[48:])
		d += sum1(a) + (c ^ a&(b^c)) + k0[12] + w[12]
		h += d
		d += sum0(e) + (e&(f^g) ^ f&g)
		w[13] = binary.BigEndian.Uint32(p[52:])
		c += sum1(h) + (b ^ h&(a^b)) + k0[13] + w[13]
		g += c
		c += sum0(d) + (d&(e^f) ^ e&f)
		w[14] = binary.BigEndian.Uint32(p[56:])
		b += sum1(g) + (a ^ g&(h^a)) + k0[14] + w[14]
		f += b
		b += sum0(c) + (c&(d^e) ^ d&e)
		w[15] = binary.BigEndian.Uint32(p[60:])
		a += sum1(f) + (h ^ f&(g^h)) + k0[15] + w[15]
		e += a
		a += sum0(b) + (b&(c^d) ^ c&d)
		for i := 1; i < len(constants); i++ {
			kk := &constants[i]
			w[0] += sigma1(w[14]) + w[9] + sigma0(w[1])
			h += sum1(e) + (g ^ e&(f^g)) + kk[0] + w[0]
			d += h
			h += sum0(a) + (a&(b^c) ^ b&c)
			w[1] += sigma1(w[15]) + w[10] + sigma0(w[2])
			g += sum1(d) + (f ^ d&(e^f)) + kk[1] + w[1]
			c += g
			g += sum0(h) + (h&(a^b) ^ a&b)
			w[2] += sigma1(w[0]) + w[11] + sigma0(w[3])
			f += sum1(c) + (e ^ c&(d^e)) + kk[2] + w[2]
			b += f
			f += sum0(g) + (g&(h^a) ^ h&a)
			w[3] += sigma1(w[1]) + w[12] + sigma0(w[4])
			e += sum1(b) + (d ^ b&(c^d)) + kk[3] + w[3]
			a += e
			e += sum0(f) + (f&(g^h) ^ g&h)
			w[4] += sigma1(w[2]) + w[13] + sigma0(w[5])
			d += sum1(a) + (c ^ a&(b^c)) + kk[4] + w[4]
			h += d
			d += sum0(e) + (e&(f^g) ^ f&g)
			w[5] += sigma1(w[3]) + w[14] + sigma0(w[6])
			c += sum1(h) + (b ^ h&(a^b)) + kk[5] + w[5]
			g += c
			c += sum0(d) + (d&(e^f) ^ e&f)
			w[6] += sigma1(w[4]) + w[15] + sigma0(w[7])
			b += sum1(g) + (a ^ g&(h^a)) + kk[6] + w[6]
			f += b
			b += sum0(c) + (c&(d^e) ^ d&e)
			w[7] += sigma1(w[5]) + w[0] + sigma0(w[8])
			a += sum1(f) + (h ^ f&(g^h)) + kk[7] + w[7]
			e += a
			a += sum0(b) + (b&(c^d) ^ c&d)
			w[8] += sigma1(w[6]) + w[1] + sigma0(w[9])
			h += sum1(e) + (g ^ e&(f^g)) + kk[8] + w[8]
			d += h
			h += sum0(a) + (a&(b^c) ^ b&c)
			w[9] += sigma1(w[7]) + w[2] + sigma0(w[10])
			g += sum1(d) + (f ^ d&(e^f)) + kk[9] + w[9]
			c += g
			g += sum0(h) + (h&(a^b) ^ a&b)
			w[10] += sigma1(w[8]) + w[3] + sigma0(w[11])
			f += sum1(c) + (e ^ c&(d^e)) + kk[10] + w[10]
			b += f
			f += sum0(g) + (g&(h^a) ^ h&a)
			w[11] += sigma1(w[9]) + w[4] + sigma0(w[12])
			e += sum1(b) + (d ^ b&(c^d)) + kk[11] + w[11]
			a += e
			e += sum0(f) + (f&(g^h) ^ g&h)
			w[12] += sigma1(w[10]) + w[5] + sigma0(w[13])
			d += sum1(a) + (c ^ a&(b^c)) + kk[12] + w[12]
			h += d
			d += sum0(e) + (e&(f^g) ^ f&g)
			w[13] += sigma1(w[11]) + w[6] + sigma0(w[14])
			c += sum1(h) + (b ^ h&(a^b)) + kk[13] + w[13]
			g += c
			c += sum0(d) + (d&(e^f) ^ e&f)
			w[14] += sigma1(w[12]) + w[7] + sigma0(w[15])
			b += sum1(g) + (a ^ g&(h^a)) + kk[14] + w[14]
			f += b
			b += sum0(c) + (c&(d^e) ^ d&e)
			w[15] += sigma1(w[13]) + w[8] + sigma0(w[0])
			a += sum1(f) + (h ^ f&(g^h)) + kk[15] + w[15]
			e += a
			a += sum0(b) + (b&(c^d) ^ c&d)
		}
		s[0] += a
		s[1] += b
		s[2] += c
		s[3] += d
		s[4] += e
		s[5] += f
		s[6] += g
		s[7] += h
	}
}
