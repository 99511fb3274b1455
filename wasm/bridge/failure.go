package bridge

import (
	"errors"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// errorOf returns err as a page sees it, and nil for nil; text is the selection that was
// asked for, if any.
func errorOf(err error, text string) *frame.Error {
	if err == nil {
		return nil
	}
	e := &frame.Error{Code: core.KindOf(err).String(), Message: err.Error()}
	var known *core.Error
	if errors.As(err, &known) {
		e.Message = known.Err.Error() // the page knows what it asked for
	}
	var selection *ankql.Error
	if errors.As(err, &selection) {
		e.Message = wordsOf(selection)
		e.Place = placeIn(text, selection)
	}
	e.Message = clip(e.Message)
	return e
}

// wordsOf says what is wrong with a selection without the place, which the page gets apart.
func wordsOf(e *ankql.Error) string {
	words := "expected " + e.Expected
	if e.Got != "" {
		words += ", got " + e.Got
	}
	return words
}

// placeIn turns a place counted in bytes into one counted as JavaScript counts.
func placeIn(text string, e *ankql.Error) *frame.Place {
	if e.Pos < 0 || e.Pos > len(text) {
		if e.Hint == "" {
			return nil
		}
		return &frame.Place{Line: 1, Column: 1, Hint: e.Hint}
	}
	place := &frame.Place{Line: 1, Column: 1, Hint: e.Hint}
	for _, c := range text[:e.Pos] {
		units := 1
		if c > 0xffff {
			units = 2
		}
		place.Offset += units
		place.Column += units
		if c == '\n' {
			place.Line++
			place.Column = 1
		}
	}
	return place
}

// clip keeps a message within what a frame takes.
func clip(message string) string {
	if len(message) <= frame.MaxText {
		return message
	}
	end := frame.MaxText
	for end > 0 && !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end]
}
