package config

import (
	"fmt"
	"strings"
)

// Parse reads the settings from arguments (without the program's name) and from the
// environment. It does not touch files or the network.
func Parse(args []string, getenv func(string) string) (*Config, error) {
	given, err := fromArguments(args)
	if err != nil {
		return nil, err
	}
	c := defaults()
	source := map[string]string{} // by setting: how the user gave it
	for i := range settings {
		s := &settings[i]
		text, ok := given[s.name]
		source[s.name] = "--" + s.name
		if !ok {
			text, source[s.name] = getenv(s.env()), s.env()
			ok = text != ""
		}
		if !ok {
			delete(source, s.name)
			continue
		}
		if err := s.parse(&c, text); err != nil {
			return nil, &Error{Setting: source[s.name], Problem: err.Error()}
		}
	}
	if err := checkTogether(&c, source); err != nil {
		return nil, err
	}
	return &c, nil
}

// fromArguments returns the text of each setting that the arguments give.
func fromArguments(args []string) (map[string]string, error) {
	given := map[string]string{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch arg {
		case "-h", "-help", "--help", "help":
			return nil, ErrHelp
		case "-version", "--version", "version":
			return nil, ErrVersion
		}
		name, text, hasText := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		s := find(name)
		if s == nil || !strings.HasPrefix(arg, "-") {
			return nil, &Error{Setting: arg, Problem: "is not a setting" + suggestion(name) + "; --help lists them"}
		}
		if _, twice := given[name]; twice {
			return nil, &Error{Setting: "--" + name, Problem: "is given twice"}
		}
		switch {
		case hasText:
		case s.argument == "":
			text = "true"
		case len(args) == 0:
			return nil, &Error{Setting: "--" + name, Problem: "needs a value: --" + name + " " + s.argument}
		default:
			text, args = args[0], args[1:]
		}
		given[name] = text
	}
	return given, nil
}

// checkTogether finds settings that make sense only with, or only without, each other.
func checkTogether(c *Config, source map[string]string) error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return &Error{Setting: source["tls-cert"], Problem: "needs --tls-key beside it"}
	case c.TLSKey != "" && c.TLSCert == "":
		return &Error{Setting: source["tls-key"], Problem: "needs --tls-cert beside it"}
	case source["csp"] != "" && c.App == "":
		return &Error{Setting: source["csp"], Problem: "has a meaning only with --app"}
	case c.PeerCredentials != "" && len(c.Peers) == 0:
		return &Error{Setting: source["peer-credentials"], Problem: "has a meaning only with --peers"}
	case c.Storage.Wake != "" && c.Storage.Engine != "tikv":
		return &Error{Setting: source["wake"], Problem: "has a meaning only with --storage tikv:"}
	case source["data"] != "" && c.Storage.Engine != "pebble":
		return &Error{Setting: source["data"], Problem: "has no meaning with --storage " + c.Storage.Engine + ":"}
	}
	return nil
}

// Usage returns the help text.
func Usage() string {
	var b strings.Builder
	b.WriteString("ankurah-server keeps the state of an Ankurah system and serves it to its clients.\n\n" +
		"  ankurah-server --addr localhost:9797 --data ./data\n\n" +
		"Settings, each also as an environment variable (--max-frame is ANKURAH_MAX_FRAME);\ndefaults in parentheses:\n\n")
	for _, s := range settings {
		fmt.Fprintf(&b, "  %s\n", strings.TrimSpace("--"+s.name+" "+s.argument))
		for _, line := range wrap(s.help, 72) {
			fmt.Fprintf(&b, "        %s\n", line)
		}
	}
	b.WriteString("  --version\n        print the version\n  --help\n        print this\n")
	return b.String()
}

// wrap breaks text into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func find(name string) *setting {
	for i := range settings {
		if settings[i].name == name {
			return &settings[i]
		}
	}
	return nil
}

// suggestion names the setting that an unknown name was probably meant to be.
func suggestion(name string) string {
	best, least := "", 3 // more than two edits is another word
	for _, s := range settings {
		if d := edits(name, s.name); d < least {
			best, least = s.name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean --" + best + "?"
}

// edits returns how many insertions, deletions and replacements make a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
