package paged

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ankurah-go/ankurah/storage/kv"
)

const (
	// chunkBytes is the size of the largest log records. Browsers keep values of 64 KB
	// and more in files of their own.
	chunkBytes = 60 << 10
	// smallBytes is the size of the largest commits that are folded into one record with
	// others, and foldRecords how many of them: opening reads few records, and a small
	// commit writes little but for one of foldRecords.
	smallBytes  = 4 << 10
	foldRecords = 64
)

// The spaces of the disk's keys; doc.go has the layout.
const (
	spaceLog  = 'l'
	spacePage = 'p'
)

var (
	metaKey  = []byte{'m'}
	dirKey   = []byte{'d'}
	allLog   = Span{[]byte{spaceLog}, []byte{spaceLog + 1}}
	allPages = Span{[]byte{spacePage}, []byte{spacePage + 1}}
)

func logKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{spaceLog}, seq) }

func pageKey(low []byte) []byte {
	return append(append(make([]byte, 0, 1+len(low)), spacePage), low...)
}

// journal is the part of the log that is not being merged. Only who commits uses it.
type journal struct {
	first, next uint64 // the records that it has: first <= seq < next
	bytes       int

	// The records from tailFirst on may be folded into one, whose parts are tail.
	tailFirst uint64
	tail      [][]byte
	tailBytes int

	// uncertain: a transaction may have changed records from tailFirst on although it is
	// not believed to have. The next one writes them again.
	uncertain bool
}

// with returns the journal after a commit of some chunks, and what stores that. What
// the journal has is not changed, so that nothing is to be undone when that fails.
func (j journal) with(chunks []*block) (journal, Transaction) {
	var t Transaction
	put := func(value []byte) {
		t.Puts = append(t.Puts, kv.Pair{Key: logKey(j.next), Value: value})
		j.next++
	}
	small := len(chunks) == 1 && len(chunks[0].data) <= smallBytes
	fits := small && j.tailBytes+len(chunks[0].data) <= chunkBytes
	if j.uncertain || !fits || j.next-j.tailFirst >= foldRecords {
		if j.next-j.tailFirst > 1 || j.uncertain {
			t.Clears = []Span{{logKey(j.tailFirst), allLog.End}}
			if j.next = j.tailFirst; len(j.tail) > 0 {
				j.tail = [][]byte{slices.Concat(j.tail...)}
				put(j.tail[0])
			}
		}
		j.uncertain = false
		if !fits {
			j.endTail()
		}
	}
	for _, c := range chunks {
		put(c.data)
		j.bytes += len(c.data)
	}
	if small {
		j.tail = append(slices.Clip(j.tail), chunks[0].data)
		j.tailBytes += len(chunks[0].data)
	} else {
		j.endTail()
	}
	return j, t
}

// endTail lets the records that are there stay as they are.
func (j *journal) endTail() { j.tailFirst, j.tail, j.tailBytes = j.next, nil, 0 }

// found notes a record that was there when the store was opened.
func (j *journal) found(seq uint64, data []byte) {
	if j.bytes == 0 {
		j.first, j.tailFirst = seq, seq
	}
	if j.tailBytes+len(data) > chunkBytes {
		j.endTail()
	}
	j.next = seq + 1
	j.bytes += len(data)
	if len(data) > chunkBytes { // one entry that is that large
		j.endTail()
	} else {
		j.tail = append(j.tail, data)
		j.tailBytes += len(data)
	}
}

// frozen returns the journal of what comes after everything that this one has.
func (j journal) frozen() journal {
	return journal{first: j.next, next: j.next, tailFirst: j.next}
}

// pack makes a commit's puts and deletes blocks of bounded size.
func pack(w *kv.Writes) []*block {
	n := len(w.Puts)
	key := func(i int) []byte {
		if i < n {
			return w.Puts[i].Key
		}
		return w.Deletes[i-n]
	}
	value := func(i int) []byte {
		if i >= n {
			return nil
		}
		if v := w.Puts[i].Value; v != nil {
			return v
		}
		return []byte{}
	}
	var chunks []*block
	order := ordered(n+len(w.Deletes), key)
	for len(order) > 0 {
		size, count := 0, 0
		for count < len(order) {
			i := int(order[count])
			s := entrySize(key(i), value(i))
			if count > 0 && size+s > chunkBytes {
				break
			}
			size += s
			count++
		}
		b := &block{data: make([]byte, 0, size), offsets: make([]uint32, 0, count)}
		for _, i := range order[:count] {
			b.add(key(int(i)), value(int(i)))
		}
		chunks = append(chunks, b)
		order = order[count:]
	}
	return chunks
}

// ordered returns the numbers below n in ascending order of their keys, of equal keys
// only the last.
func ordered(n int, key func(i int) []byte) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	sortByKey(order, key)
	kept := order[:0]
	for i, at := range order {
		if i+1 == len(order) || !bytes.Equal(key(int(at)), key(int(order[i+1]))) {
			kept = append(kept, at)
		}
	}
	return kept
}

// sortByKey sorts numbers by their keys, and leaves those with equal keys in order. A
// commit brings its keys in groups, one of each space; within a space, which is their
// first byte, they are often in order already, so that comparing neighbours is enough.
func sortByKey(order []int32, key func(i int) []byte) {
	byKey := func(a, b int32) int { return bytes.Compare(key(int(a)), key(int(b))) }
	if len(order) < 100 {
		slices.SortStableFunc(order, byKey)
		return
	}
	space := func(i int32) int {
		if k := key(int(i)); len(k) > 0 {
			return 1 + int(k[0])
		}
		return 0
	}
	var ends [258]int // ends[x] is where the numbers of space x begin, and then end
	for _, i := range order {
		ends[1+space(i)]++
	}
	for x := 1; x < len(ends); x++ {
		ends[x] += ends[x-1]
	}
	from := slices.Clone(order)
	for _, i := range from {
		x := space(i)
		order[ends[x]] = i
		ends[x]++
	}
	begin := 0
	for _, end := range ends[:257] {
		part := order[begin:end]
		if !slices.IsSortedFunc(part, byKey) {
			slices.SortStableFunc(part, byKey)
		}
		begin = end
	}
}
