package kvtest

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// Place is somewhere a store's data lives. Each Place that a test gets is empty.
type Place interface {
	// Open opens a store over what is there; the one opened before was closed.
	Open(t testing.TB) kv.Store
}

// PlaceFunc is a Place made of its Open.
type PlaceFunc func(t testing.TB) kv.Store

// Open implements Place.
func (f PlaceFunc) Open(t testing.TB) kv.Store { return f(t) }

// Power is something that a store may be besides a kv.Store: those that it is not, its tests
// declare.
type Power string

// Views is the power of a store that is a kv.Viewer.
const Views Power = "kv.Viewer"

// Run runs every case, but for those of the powers that the store lacks. Each gets a place of its
// own; what it opens there, it closes.
func Run(t *testing.T, place func(t testing.TB) Place, lacks ...Power) {
	type placeCase struct {
		name string
		run  func(t *testing.T, p Place)
	}
	cases := []placeCase{
		{"GetTellsAbsentFromEmpty", getTellsAbsentFromEmpty},
		{"KeysAreComparedAsBytes", keysAreComparedAsBytes},
		{"ScanHonoursBoundsDirectionAndLimit", scanHonoursBounds},
		{"CommitChecksAndWritesAsOne", commitChecksAndWritesAsOne},
		{"AFailedCheckStoresNothing", failedCheckStoresNothing},
		{"ResultsBelongToTheCaller", resultsBelongToTheCaller},
		{"RandomOperationsMatchAMap", randomOperations},
		{"LongKeysAreKeysLikeOthers", longKeys},
		{"ConcurrentIncrementsLoseNothing", concurrentIncrements},
		{"AReadIsOfOneMoment", readIsOfOneMoment},
		{"LargeCommit", largeCommit},
		{"WhatWasCommittedIsThereAfterReopening", reopen},
		{"ClosedStoreSaysSo", closedStoreSaysSo},
		{"CancelledContextIsReported", cancelledContext},
	}
	if slices.Contains(lacks, Views) {
		cases = append(cases, placeCase{"ItLacksViews", lacksViews})
	} else {
		cases = append(cases, placeCase{"AViewReadsWhatTheStoreReads", viewReadsWhatTheStoreReads}, placeCase{"AViewIsOfOneMoment", viewIsOfOneMoment})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, place(t)) })
	}
}
