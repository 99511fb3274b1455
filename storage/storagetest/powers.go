package storagetest

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
)

// Power is something that an engine may be besides a storage.Engine, and that has cases of its
// own: those that an engine does not have, its tests declare.
type Power string

// The powers.
const (
	Counts     Power = "storage.Counter"
	Indexes    Power = "storage.Indexer"
	Explains   Power = "storage.Explainer"
	Walks      Power = "storage.Walker"
	Sizes      Power = "storage.Sizer"
	Broadcasts Power = "storage.Broadcaster" // of an engine that is storage.Shared
)

func (p Power) of(e storage.Engine) (has bool) {
	switch p {
	case Counts:
		_, has = e.(storage.Counter)
	case Indexes:
		_, has = e.(storage.Indexer)
	case Explains:
		_, has = e.(storage.Explainer)
	case Walks:
		_, has = e.(storage.Walker)
	case Sizes:
		_, has = e.(storage.Sizer)
	case Broadcasts:
		_, has = e.(storage.Broadcaster)
	}
	return has
}

// powersAreDeclared: an engine has each of the powers, unless it is declared to lack it.
func powersAreDeclared(t *testing.T, e storage.Engine, powers, lacks []Power) {
	for _, p := range powers {
		if lacking := slices.Contains(lacks, p); p.of(e) == lacking {
			t.Errorf("%s: the engine has it: %v, and is declared to lack it: %v", p, p.of(e), lacking)
		}
	}
	for _, p := range lacks {
		if !slices.Contains(powers, p) {
			t.Errorf("%s: no power of these cases", p)
		}
	}
}

// runPower runs a case of a power, unless the engine lacks it.
func runPower[P any](t *testing.T, open func(t testing.TB) storage.Engine, lacks []Power, power Power, name string, run func(*testing.T, storage.Engine, P)) {
	if slices.Contains(lacks, power) {
		return
	}
	t.Run(name, func(t *testing.T) {
		e := openFor(t, open)
		p, ok := e.(P)
		if !ok {
			t.Fatalf("the engine is no %s, and is not declared to lack it", power)
		}
		run(t, e, p)
	})
}
