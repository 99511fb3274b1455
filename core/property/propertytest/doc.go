// Package propertytest holds every merge kind to the laws of package property.
//
// [Run] plays authors who write one property, knowing more or less of each other, and
// then hands what they wrote around in every way that a network can: in any order, more
// than once, as operations or as states, in parts. [Fuzz] feeds a kind what no author
// wrote.
package propertytest
