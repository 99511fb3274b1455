package causal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/causal"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

var rewrite = flag.Bool("rewrite", false, "write the answers into the scenario files")

// The files in testdata describe histories and what is asked of them:
//
//	# comment, kept
//	B: A                 an event with its parents; ids ascend in this order
//	compare B A          a question; limit=2 and without=A may follow
//	= descends, meet A   its answer
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := scenario{t: t, history: newHistory(), names: make(map[string]id.EventID)}
			got := s.run(string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("the answers differ; run with -rewrite and look at the change:\n%s", got)
			}
		})
	}
}

type scenario struct {
	t       *testing.T
	history *history
	names   map[string]id.EventID
}

// run returns the text with the answers that are given now.
func (s *scenario) run(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "=") {
			continue
		}
		out = append(out, line)
		switch name, parents, isEvent := strings.Cut(line, ":"); {
		case line == "" || strings.HasPrefix(line, "#"):
		case isEvent:
			e := event(len(s.names))
			s.history.add(e, s.clock(parents)...)
			s.names[name] = e
		default:
			out = append(out, "= "+s.answer(strings.Fields(line)))
		}
	}
	return strings.Join(out, "\n") + "\n"
}

func (s *scenario) clock(text string) proto.Clock {
	var list []id.EventID
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		e, ok := s.names[name]
		if !ok && name != "-" {
			s.t.Fatalf("no event %q", name)
		}
		if ok {
			list = append(list, e)
		}
	}
	return proto.NewClock(list...)
}

func (s *scenario) answer(question []string) string {
	limit := plenty
	clear(s.history.missing)
	var clocks []proto.Clock
	for _, arg := range question[1:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "limit":
			limit, _ = strconv.Atoi(value)
		case "without":
			for _, e := range s.clock(value) {
				s.history.missing[e] = true
			}
		default:
			clocks = append(clocks, s.clock(arg))
		}
	}
	ctx := context.Background()
	switch question[0] {
	case "compare":
		c, err := causal.Compare(ctx, s.history, clocks[0], clocks[1], limit)
		return s.say(err, fmt.Sprintf("%s, meet %s", c.Relation, s.list(c.Meet)))
	case "between":
		list, err := causal.Between(ctx, s.history, clocks[0], clocks[1], limit)
		return s.say(err, s.list(list))
	case "greatest":
		heads, err := causal.Greatest(ctx, s.history, clocks[0], limit)
		return s.say(err, s.list(heads))
	}
	s.t.Fatalf("unknown question %q", question)
	return ""
}

func (s *scenario) say(err error, answer string) string {
	var missing *causal.MissingError
	switch {
	case errors.As(err, &missing):
		return "missing " + s.list(missing.Events)
	case err != nil:
		return err.Error()
	}
	return answer
}

func (s *scenario) list(events []id.EventID) string {
	if len(events) == 0 {
		return "-"
	}
	var names []string
	for _, e := range events {
		for name, of := range s.names {
			if of == e {
				names = append(names, name)
			}
		}
	}
	if !slices.IsSortedFunc(events, func(a, b id.EventID) int { return a.Compare(b.ULID) }) {
		s.t.Errorf("%v is not in order", names)
	}
	return strings.Join(names, ",")
}
