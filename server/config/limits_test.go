package config_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/server/config"
)

var limitRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|")

// docs/limits.md says what there is: no limit more and none less, and every default.
func TestLimitsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, row := range limitRow.FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = strings.TrimSpace(row[2])
	}
	want := map[string]string{
		"--trusted-proxies": "none",
		"proto.MaxFrame":    strconv.Itoa(proto.MaxFrame), "proto.MaxTxEvents": strconv.Itoa(proto.MaxTxEvents),
		"proto.MaxTxBytes": strconv.Itoa(proto.MaxTxBytes), "proto.MaxEventBytes": strconv.Itoa(proto.MaxEventBytes),
		"proto.MaxOperations": strconv.Itoa(proto.MaxOperations), "proto.MaxStateBytes": strconv.Itoa(proto.MaxStateBytes),
		"proto.MaxClock": strconv.Itoa(proto.MaxClock), "proto.MaxNameBytes": strconv.Itoa(proto.MaxNameBytes),
		"proto.MaxUserBytes": strconv.Itoa(proto.MaxUserBytes), "proto.MaxText": strconv.Itoa(proto.MaxText),
		"proto.MaxParams": strconv.Itoa(proto.MaxParams), "proto.MaxFrameItems": strconv.Itoa(proto.MaxFrameItems),
		"proto.MaxModels": strconv.Itoa(proto.MaxModels), "msgpack.MaxDepth": strconv.Itoa(msgpack.MaxDepth),
		"ankql.MaxDepth": strconv.Itoa(ankql.MaxDepth), "ankql.MaxItems": strconv.Itoa(ankql.MaxItems),
		"ankql.MaxValues": strconv.Itoa(ankql.MaxValues), "ankql.MaxSteps": strconv.Itoa(ankql.MaxSteps),
		"ankql.MaxPath": strconv.Itoa(ankql.MaxPath), "ankql.MaxReferences": strconv.Itoa(ankql.MaxReferences),
		"ankql.MaxOrder": strconv.Itoa(ankql.MaxOrder), "ankql.MaxPattern": strconv.Itoa(ankql.MaxPattern),
		"ankql.MaxLimit": strconv.Itoa(ankql.MaxLimit),
	}
	for _, l := range config.Limits() {
		if want[l.Name] = l.Default(); l.Name == "scans" { // it depends on the machine
			want[l.Name] = documented[l.Name]
		}
	}
	defaults, err := config.Parse(nil, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"--max-connections": defaults.MaxConnections, "--max-per-address": defaults.MaxPerAddress, "--max-frame": defaults.MaxFrame,
		"--max-clock-drift": defaults.MaxClockDrift, "--shutdown-timeout": defaults.ShutdownTimeout, "--drain-delay": defaults.DrainDelay,
	} {
		want[name] = fmt.Sprint(value)
	}
	for name, value := range want {
		if documented[name] != value {
			t.Errorf("%s is %s; the document says %q", name, value, documented[name])
		}
	}
	for name := range documented {
		if _, ok := want[name]; !ok {
			t.Errorf("the document knows %s, the code does not", name)
		}
	}
	names := make([]string, 0, len(config.Limits()))
	for _, l := range config.Limits() {
		names = append(names, l.Name)
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(config.Limits()) {
		t.Error("a limit has two lines")
	}
}
