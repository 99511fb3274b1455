package main

import (
	"context"
	"flag"

	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/server/engine"
	"github.com/ankurah-go/ankurah/storage"
)

// storeFlag names a store, by a flag or by an environment variable, since a URL may have a
// password in it that is better not seen by ps.
type storeFlag struct {
	name, variable string
	text           string
}

func newStoreFlag(f *flag.FlagSet, name, variable, help string) *storeFlag {
	s := &storeFlag{name: name, variable: variable}
	if variable != "" {
		help += " (or $" + variable + ")"
	}
	f.StringVar(&s.text, name, "", help)
	return s
}

// setting returns what the flag says.
func (s *storeFlag) setting(p *program) (config.Storage, error) {
	text := s.text
	if text == "" && s.variable != "" {
		text = p.getenv(s.variable)
	}
	if text == "" {
		return config.Storage{}, usage("--%s is missing: which store?", s.name)
	}
	parsed, err := config.ParseStorage(text)
	switch {
	case err != nil:
		return parsed, usage("--%s: %v", s.name, err)
	case parsed.Engine == "memory":
		return parsed, usage("--%s: a store in memory is gone with the server that has it", s.name)
	case parsed.Engine == "pebble" && parsed.Dir == "":
		return parsed, usage("--%s: pebble: needs a directory, as in pebble:./data", s.name)
	}
	return parsed, nil
}

// open opens the store.
func (s *storeFlag) open(ctx context.Context, p *program, use engine.Use) (storage.Engine, error) {
	parsed, err := s.setting(p)
	if err != nil {
		return nil, err
	}
	return engine.Open(ctx, parsed, use, nil)
}
