package storagetest

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
)

// Run runs every case that needs one engine, but for those of the powers that it lacks. Each case
// gets a new empty engine from open and closes it.
func Run(t *testing.T, open func(t testing.TB) storage.Engine, lacks ...Power) {
	cases := []struct {
		name string
		run  func(t *testing.T, e storage.Engine)
	}{
		{"PowersAreDeclared", func(t *testing.T, e storage.Engine) {
			powersAreDeclared(t, e, []Power{Counts, Indexes, Explains, Walks, Sizes}, lacks)
		}},
		{"AnEmptyEngineHasNothing", emptyEngine},
		{"RecordsComeBackAsWritten", recordsComeBack},
		{"EventsComeBackAsWritten", eventsComeBack},
		{"EntityEventsAreAnEntitysOwnInOrder", entityEvents},
		{"EntityEventsWithoutTheCreation", entityEventsWithoutCreation},
		{"CommitExpectsHeads", commitExpectsHeads},
		{"AConflictStoresNothing", conflictStoresNothing},
		{"EvictedRecordsAreGone", evict},
		{"EvictedEntitiesCanComeBack", evictAndReturn},
		{"OutboxIsAQueueByNumber", outbox},
		{"MetaIsAMap", meta},
		{"FeedsAreApartAndNumbered", feeds},
		{"ALimitIsAtMostMaxPage", limits},
		{"APageOfLargeRowsEndsEarly", largeRows},
		{"ScanMatchesAndOrders", scanMatchesAndOrders},
		{"ScanByEntity", scanByEntity},
		{"ScanLeavesOutDeletedAndOtherCollections", scanLeavesOut},
		{"ScanGoesOnAfterAnyKey", scanGoesOnAfterAnyKey},
		{"AnswersAreRight", answersAreRight},
		{"WhatIsReturnedBelongsToTheCaller", ownership},
		{"OneOfManyCommitsOnAHeadSucceeds", oneOfManySucceeds},
		{"CommitsOnDifferentEntitiesAllSucceed", allSucceed},
		{"AReadIsOfOneMoment", readIsOfOneMoment},
		{"AgreesWithTheOracle", agreesWithTheOracle},
		{"Scenarios", scenarios},
		{"ALargeBatchIsOneCommit", largeBatch},
		{"AClosedEngineSaysSo", closedEngine},
		{"ACancelledContextIsReported", cancelledContext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, openFor(t, open)) })
	}
	runPower(t, open, lacks, Counts, "CountEqualsScan", countEqualsScan)
	runPower(t, open, lacks, Indexes, "IndexesAreKeptUp", indexesAreKeptUp)
	runPower(t, open, lacks, Explains, "ExplanationsSayWhatIsDone", explanations)
	runPower(t, open, lacks, Walks, "WalksFindEverything", walksFindEverything)
	runPower(t, open, lacks, Walks, "AWalkKnowsTheFeeds", walkedFeeds)
	runPower(t, open, lacks, Walks, "AClosedEngineDoesNotWalk", closedWalks)
	runPower(t, open, lacks, Sizes, "SizeGrows", sizeGrows)
}

// RunDurable runs the cases in which an engine is closed and its data opened again.
// Each gets a place of its own, empty at first, from place; the function that place
// returns opens what is there, after the engine that it returned before was closed.
func RunDurable(t *testing.T, place func(t testing.TB) (open func(t testing.TB) storage.Engine)) {
	cases := []struct {
		name string
		run  func(t *testing.T, open func(t testing.TB) storage.Engine)
	}{
		{"WhatWasCommittedIsThereAfterReopening", reopenKeepsEverything},
		{"ReopenedAgreesWithTheOracle", reopenedAgreesWithTheOracle},
		{"AnEmptyEngineReopens", emptyEngineReopens},
		{"FaultsLoseNothing", faultsLoseNothing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, place(t)) })
	}
}

// openFor opens an engine that is closed when the test ends.
func openFor(t testing.TB, open func(t testing.TB) storage.Engine) storage.Engine {
	e := open(t)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}
