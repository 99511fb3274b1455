// Package model is the models that the examples share: defined once, used by the server,
// by Go clients, and, by collection and property names, by the app in TypeScript.
package model

// Album is one record of the collection "album".
type Album struct {
	Name   string `ankurah:"name,text"`
	Artist string `ankurah:"artist"`
	Year   int    `ankurah:"year"`
}
