// Package engine opens the storage engine that a setting names, for all programs that take
// one.
//
// # Concurrency
//
// Open may be called from several goroutines; it blocks for as long as the engine takes to
// open.
//
// # Errors
//
// They name the place as the user gave it, without a password, and wrap those of the engine.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"

	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/natswake"
	"github.com/ankurah-go/ankurah/storage/postgres"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
	"github.com/ankurah-go/ankurah/storage/sqlite"
	"github.com/ankurah-go/ankurah/storage/tikv"
)

// ErrMissing is what Open returns, of a program that reads, for a place with nothing in it.
var ErrMissing = errors.New("there is no such store")

// Use is what a program wants of an engine.
type Use int

// The uses.
const (
	// Own: the program is the only one that writes to the store. What is not there is made.
	Own Use = iota
	// Serving is Own beside other servers, where the engine lets several share a store.
	Serving
	// Existing is Own for a store that is there already: ErrMissing if it is not.
	Existing
	// Reading: the program only reads what is there, beside servers where the engine lets
	// several programs have a store.
	Reading
)

// Open opens the engine that s names. A store that another program has for itself is refused.
// log takes what the engine has to say; nil drops it.
func Open(ctx context.Context, s config.Storage, use Use, log *slog.Logger) (storage.Engine, error) {
	if use != Own && use != Serving && !exists(s) {
		return nil, fmt.Errorf("%s: %w", s, ErrMissing)
	}
	switch s.Engine {
	case "memory":
		return memory.New(), nil
	case "sqlite":
		e, err := sqlite.Open(ctx, s.File, sqlite.Options{Exclusive: true})
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", s.File, err)
		}
		return e, nil
	case "postgres":
		e, err := postgres.Open(ctx, s.URL, postgres.Options{Exclusive: use == Own || use == Existing})
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", s, err)
		}
		return e, nil
	case "tikv":
		return tikv.Open(ctx, s.URL, tikv.Options{Hints: hints(s, log), Log: log})
	}
	return openDirectory(s.Dir)
}

// hints returns what opens the hints of a store's servers, nil where none are to be used.
func hints(s config.Storage, log *slog.Logger) func(string) (storage.Hints, error) {
	if s.Wake == "" {
		return nil
	}
	return func(store string) (storage.Hints, error) { return natswake.Open(s.Wake, store, log) }
}

// exists reports whether there is a store, where that can be seen without making one.
func exists(s config.Storage) bool {
	path := s.Dir + s.File
	if path == "" {
		return true
	}
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func openDirectory(dir string) (storage.Engine, error) {
	e, err := sledcompat.Open(dir)
	switch {
	case errors.Is(err, sledcompat.ErrLocked):
		return nil, fmt.Errorf("data directory %s is in use by another server", dir)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data directory %s cannot be written: permission denied", dir)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("data directory %s is not a directory", dir)
	case err != nil:
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return e, nil
}
