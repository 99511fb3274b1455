package ankql

import "unicode/utf8"

// search finds a long part of a pattern in a text, at a cost of a 64th of the part's length
// for each character. (Trying the part at every place costs its whole length where the text
// is made for it; a peer may send both.)
//
// It keeps, as bits, which beginnings of the part end at the present character. One more
// character shifts them by one, and leaves those that go on with it.
type search struct {
	words int
	last  int // the bit of the whole part
	any   []uint64
	// where each rune stands in the part: as bits, or, for one that stands in few places,
	// as these.
	often  map[rune][]uint64
	seldom map[rune][]int32
}

// searchFrom is the length of the parts that are searched for in this way.
const searchFrom = 32

// searchWords bounds the words of a search: no part is longer than a pattern.
const searchWords = (MaxPattern + 63) / 64

func newSearch(runes []rune) *search {
	n := (len(runes) + 63) / 64
	s := &search{words: n, last: len(runes) - 1, any: make([]uint64, n), often: map[rune][]uint64{}, seldom: map[rune][]int32{}}
	for i, c := range runes {
		if c == anyRune {
			s.any[i/64] |= 1 << (i % 64)
		} else {
			s.seldom[c] = append(s.seldom[c], int32(i))
		}
	}
	for c, places := range s.seldom {
		if len(places) <= n {
			continue
		}
		bits := make([]uint64, n)
		copy(bits, s.any)
		for _, i := range places {
			bits[i/64] |= 1 << (i % 64)
		}
		s.often[c] = bits
		delete(s.seldom, c)
	}
	return s
}

// find returns where the leftmost occurrence in text ends, or -1.
func (s *search) find(text string, fold bool) int {
	var begun, next [searchWords]uint64
	for i, c := range text {
		if fold {
			c = foldRune(c)
		}
		carry := uint64(1) // a beginning of no length ends before every character
		for w := range s.words {
			next[w] = begun[w]<<1 | carry
			carry = begun[w] >> 63
		}
		if bits, ok := s.often[c]; ok {
			for w := range s.words {
				begun[w] = next[w] & bits[w]
			}
		} else {
			for w := range s.words {
				begun[w] = next[w] & s.any[w]
			}
			for _, p := range s.seldom[c] {
				begun[p/64] |= next[p/64] & (1 << (p % 64))
			}
		}
		if begun[s.last/64]&(1<<(s.last%64)) != 0 {
			_, size := utf8.DecodeRuneInString(text[i:])
			return i + size
		}
	}
	return -1
}
