// Package presence is what one durable node knows of who is in which room, and how durable
// nodes tell each other.
//
// A Board has entries: what a home, a durable node from one opening to its end, says of a member
// of a room. Only the home changes them. The seq of a member grows with everything that becomes
// of it, also where it goes from one home to another, so that of two entries the one with the
// greater seq is the later, whichever way they came:
//
//	P1  what is shown of a member is its entry with the greatest seq; of equal ones that which
//	    has gone, and then the one of the greater home. A home that hears of a later entry has
//	    its own gone
//	P2  what changes a board is told to every neighbour but the one that told it, and what
//	    does not change it is told to nobody: in any topology each telling comes to an end
//	P3  a home is alive for as long as it was heard of, by its beats, within the lease; the age
//	    of a beat travels with it, so that telling it in a circle does not keep a dead one alive
//	P4  a beat is told after everything that its home said before it. So a board that is sure
//	    of a home knows what that said before the beat, and an entry that has gone need not be
//	    remembered for longer than two leases
//	P5  a board is sure of a home once a neighbour has told all of its entries, and until it
//	    was not heard of for a lease; then it is forgotten with its entries. What is not sure
//	    is neither shown nor told
//	P6  a beat is taken from a neighbour that has told all entries since the board was sure:
//	    what was told before may have been left out. Any other is asked for all of them
//	P7  a home that ends in good order says so with its last beat. It is alive for a grace from
//	    then on, and not for the lease: its members are away, as when each one's connection ended
//
// Nothing is stored: a board begins empty.
//
// A member whose connection ends is away: it stays for the grace, and then it has gone. A
// member that comes again meanwhile, here or at another home, has never left.
//
// The package has no connections, no clock and no goroutines: what is heard and what time it is
// comes in, and what is to be told is taken out.
//
// # Concurrency
//
// A Board, its seats, watches and neighbours may be used from many goroutines. The functions
// that they are given are called while the board is locked: they signal, and return.
//
// # Errors
//
// What a limit forbids is an ErrFull; nothing else fails.
package presence
