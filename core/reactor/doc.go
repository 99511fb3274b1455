// Package reactor leads from a change to the queries that it touches.
//
// A watcher names a collection and a predicate. Each published transaction is held
// against the predicates, with the entities before and after it; a watcher hears of the
// changes that matched before or match after, and then, once, that the transaction is
// over. Which queries there are, what they show and where rows live is not the
// reactor's affair.
//
// # Order
//
// Changes are told in the order in which the transaction has them; each to its watches in
// the order of their registration. Who follows references hears after all others. The end is told to the watchers that heard of a
// change, in the order of their first such watch, after the last change; to those that settle
// first ([First]) before all others.
//
// # Cost
//
// A change is held against the predicates that it can affect, not against all. An index
// knows under which values of which property each watch has to be found (see index.go);
// it can only be too generous, never too strict, because it rests on what a predicate
// needs in order to be true (plan.Bounds):
//
//	R1  a watch whose predicate is true of an entity is among the candidates for it
//
// What is said of no single property, such as one compared with another, is held against
// every change of its collection.
//
// # References
//
// A predicate may read behind references (artist.name = 'Muse'). Then a change of an artist
// is a change of the rows that refer to it: the reactor has a table of the paths by which
// watches follow references, goes back on those that lead to what changed ([World]), and
// holds the rows that it finds against the predicates, with what lies behind their
// references before and after. What a row's references lead to is in the index like the
// row's own properties. Nobody goes back where no watch reads the property that changed.
//
//	R2  a watch whose predicate becomes true or false of an entity is told of it, once in a
//	    transaction, whatever changed on the way
//
// # Concurrency
//
// Watch, Stop and Count may be called from anywhere, also from a watcher. Publish is
// called from one goroutine at a time, and calls watchers on it, without holding a lock;
// a watcher hears of transactions in the order of publication. After its stop has
// returned on that goroutine, a watch is told of no change; who heard of a change is told
// of the end all the same.
package reactor
