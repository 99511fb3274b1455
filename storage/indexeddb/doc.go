// Package indexeddb is the browser's key-value store.
package indexeddb
