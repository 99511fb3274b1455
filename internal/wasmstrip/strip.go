package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Strip returns a smaller module that does the same. The input is not changed.
func Strip(module []byte) ([]byte, error) {
	sections, err := readSections(module)
	if err != nil {
		return nil, err
	}
	kept := sections[:0]
	found := false
	for _, s := range sections {
		switch s.id {
		case sectionCustom:
			continue // names and producers
		case sectionData:
			memory, err := readData(s.payload)
			if err != nil {
				return nil, err
			}
			if err := stripTables(memory); err != nil {
				return nil, err
			}
			s.payload = appendData(memory)
			found = true
		}
		kept = append(kept, s)
	}
	if !found {
		return nil, fmt.Errorf("%w: no data", errFormat)
	}
	return appendSections(kept), nil
}

// tables is the runtime's function table (runtime.pcHeader and what it points to).
type tables struct {
	names, cus, files, pcs []byte
	functions              []byte // the index, then the functions
	count                  int
	keep                   []bool // bytes of pcs that something still refers to
	keepNames              []bool
}

// magic opens the function table: its version, padding, the instruction quantum of wasm
// and the size of a pointer.
var magic = []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}

// Offsets in a function's entry (runtime._func), and of the tables behind it.
const (
	funcName      = 4
	funcPCSP      = 16
	funcPCFile    = 20
	funcPCLine    = 24
	funcPCTables  = 28
	funcStartLine = 36
	funcTables    = 43
	funcSize      = 44
)

// Numbers of the per-function tables that only tracebacks read: PCDATA_InlTreeIndex and
// PCDATA_ArgLiveIndex, FUNCDATA_InlTree, FUNCDATA_ArgInfo and FUNCDATA_ArgLiveInfo.
var (
	tracePCData   = map[int]bool{2: true, 3: true}
	traceFuncData = map[int]bool{3: true, 5: true, 6: true}
)

// stripTables zeroes in memory what only tracebacks read.
func stripTables(memory []byte) error {
	t, err := findTables(memory)
	if err != nil {
		return err
	}
	for i := range t.count {
		if err := t.strip(i); err != nil {
			return err
		}
	}
	clear(t.cus)
	clear(t.files)
	zeroUnless(t.keep, t.pcs)
	zeroUnless(t.keepNames, t.names)
	return nil
}

func zeroUnless(keep []bool, b []byte) {
	for i := range b {
		if !keep[i] {
			b[i] = 0
		}
	}
}

func findTables(memory []byte) (*tables, error) {
	at := bytes.Index(memory, magic)
	if at < 0 || bytes.Contains(memory[at+1:], magic) || at+72 > len(memory) {
		return nil, fmt.Errorf("%w: the function table is not where Go 1.26 has it", errFormat)
	}
	m := memory[at:]
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(m[8+8*i:]) }
	count, names, cus, files, pcs, functions := word(0), word(3), word(4), word(5), word(6), word(7)
	if names > cus || cus > files || files > pcs || pcs > functions || functions+8*count+4 > uint64(len(m)) {
		return nil, fmt.Errorf("%w: the function table's parts are out of order", errFormat)
	}
	t := &tables{names: m[names:cus], cus: m[cus:files], files: m[files:pcs], pcs: m[pcs:functions],
		functions: m[functions:], count: int(count)}
	t.keep, t.keepNames = make([]bool, len(t.pcs)), make([]bool, len(t.names))
	if len(t.keep) > 0 {
		t.keep[0] = true
	}
	return t, nil
}

// strip clears what only tracebacks read of function i, and marks what must stay.
func (t *tables) strip(i int) error {
	offset := binary.LittleEndian.Uint32(t.functions[8*i+4:])
	if uint64(offset)+funcSize > uint64(len(t.functions)) {
		return fmt.Errorf("%w: function %d lies outside the table", errFormat, i)
	}
	f := t.functions[offset:]
	pcTables, tables := int(binary.LittleEndian.Uint32(f[funcPCTables:])), int(f[funcTables])
	if pcTables > 16 || tables > 16 || funcSize+4*(pcTables+tables) > len(f) {
		return fmt.Errorf("%w: function %d has %d tables", errFormat, i, pcTables+tables)
	}
	if err := t.keepName(binary.LittleEndian.Uint32(f[funcName:])); err != nil {
		return err
	}
	if err := t.keepPCs(binary.LittleEndian.Uint32(f[funcPCSP:])); err != nil {
		return err
	}
	put := binary.LittleEndian.PutUint32
	put(f[funcPCFile:], 0)
	put(f[funcPCLine:], 0)
	put(f[funcStartLine:], 0)
	for n := range pcTables {
		entry := f[funcSize+4*n:]
		if tracePCData[n] {
			put(entry, 0)
		} else if err := t.keepPCs(binary.LittleEndian.Uint32(entry)); err != nil {
			return err
		}
	}
	for n := range tables {
		if traceFuncData[n] {
			put(f[funcSize+4*(pcTables+n):], ^uint32(0))
		}
	}
	return nil
}

// keepName marks the runtime's own names.
func (t *tables) keepName(offset uint32) error {
	if uint64(offset) >= uint64(len(t.names)) {
		return fmt.Errorf("%w: a name lies outside its table", errFormat)
	}
	end := bytes.IndexByte(t.names[offset:], 0)
	if end < 0 {
		return fmt.Errorf("%w: a name without an end", errFormat)
	}
	if !strings.HasPrefix(string(t.names[offset:int(offset)+end]), "runtime.") {
		return nil
	}
	for i := range end {
		t.keepNames[int(offset)+i] = true
	}
	return nil
}

// keepPCs marks a table of values by program counter: pairs of varints up to a zero that
// is not the first.
func (t *tables) keepPCs(offset uint32) error {
	if offset == 0 {
		return nil
	}
	if uint64(offset) >= uint64(len(t.pcs)) {
		return fmt.Errorf("%w: a table of values lies outside its own", errFormat)
	}
	c := &cursor{b: t.pcs[offset:]}
	for first := true; ; first = false {
		if value := c.unsigned(); value == 0 && !first {
			break
		}
		c.unsigned()
		if c.err != nil {
			return c.err
		}
	}
	for i := int(offset); i < len(t.pcs)-len(c.b); i++ {
		t.keep[i] = true
	}
	return nil
}
