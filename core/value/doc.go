// Package value holds the values that properties take, their one total order, and
// the encoding of that order as bytes.
//
// The order is the same in memory, in every engine, in indexes and in live results
// (laws V1 to V4, each a test):
//
//	V1  numbers compare by value, int and float together; -0 equals 0; NaN equals
//	    itself and is greater than every other number
//	V2  strings and bytes compare by their bytes, false sorts before true, ids by
//	    their bytes, JSON scalars as the scalar that they hold, JSON containers by
//	    their canonical encoding
//	V3  values of different families compare by family: bool, number, string,
//	    bytes, id, JSON container; null is greater than all of them
//	V4  bytes.Compare of two AppendKey results equals Compare of the values, and no
//	    key is a prefix of another
//
// Values are immutable and comparable with ==, which tells apart what Compare calls
// equal (1 and 1.0, 0 and -0).
package value
