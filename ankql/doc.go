// Package ankql is the query language: which entities, in which order, how many.
package ankql
