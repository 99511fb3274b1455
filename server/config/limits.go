package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
)

// Limit is one of the bounds that --limit sets.
type Limit struct {
	Name string
	// field returns where it is: a *int or a *time.Duration.
	field func(c *Config) any
}

// Limits lists what --limit sets, in the order of docs/limits.md.
func Limits() []Limit { return limits }

var limits = []Limit{
	{"tx-events", func(c *Config) any { return &c.Limits.TxEvents }},
	{"tx-bytes", func(c *Config) any { return &c.Limits.TxBytes }},
	{"siblings", func(c *Config) any { return &c.Limits.Siblings }},
	{"selection-cost", func(c *Config) any { return &c.Limits.SelectionCost }},
	{"subscription-cost", func(c *Config) any { return &c.Limits.SubscriptionCost }},
	{"subscriptions", func(c *Config) any { return &c.Limits.Subscriptions }},
	{"groups", func(c *Config) any { return &c.Limits.Groups }},
	{"distinct-values", func(c *Config) any { return &c.Limits.DistinctValues }},
	{"history-events", func(c *Config) any { return &c.Limits.HistoryEvents }},
	{"history-bytes", func(c *Config) any { return &c.Limits.HistoryBytes }},
	{"held-bytes", func(c *Config) any { return &c.Limits.HeldBytes }},
	{"held-total", func(c *Config) any { return &c.Limits.HeldTotal }},
	{"unacknowledged", func(c *Config) any { return &c.Limits.Unacknowledged }},
	{"unacknowledged-bytes", func(c *Config) any { return &c.Limits.UnacknowledgedBytes }},
	{"commit-queue", func(c *Config) any { return &c.Limits.CommitQueue }},
	{"commit-bytes", func(c *Config) any { return &c.Limits.CommitBytes }},
	{"scans", func(c *Config) any { return &c.Limits.Scans }},
	{"rate", func(c *Config) any { return &c.Limits.Rate }},
	{"burst", func(c *Config) any { return &c.Limits.Burst }},
	{"principal-rate", func(c *Config) any { return &c.Limits.PrincipalRate }},
	{"principal-burst", func(c *Config) any { return &c.Limits.PrincipalBurst }},
	{"send-queue", func(c *Config) any { return &c.Limits.SendQueue }},
	{"send-bytes", func(c *Config) any { return &c.Limits.SendBytes }},
	{"send-total", func(c *Config) any { return &c.Limits.SendTotal }},
	{"backlog", func(c *Config) any { return &c.Limits.Backlog }},
	{"backlog-bytes", func(c *Config) any { return &c.Limits.BacklogBytes }},
	{"resume-entries", func(c *Config) any { return &c.Limits.ResumeEntries }},
	{"presence-rooms", func(c *Config) any { return &c.Limits.PresenceRooms }},
	{"presence-state", func(c *Config) any { return &c.Limits.PresenceState }},
	{"presence-members", func(c *Config) any { return &c.Limits.PresenceMembers }},
	{"presence-principal", func(c *Config) any { return &c.Limits.PresencePrincipal }},
	{"presence-total", func(c *Config) any { return &c.Limits.PresenceTotal }},
	{"presence-grace", func(c *Config) any { return &c.Limits.PresenceGrace }},
	{"presence-lease", func(c *Config) any { return &c.Limits.PresenceLease }},
	{"handshake", func(c *Config) any { return &c.Limits.Handshake }},
	{"ping", func(c *Config) any { return &c.Limits.Ping }},
	{"opening-frame", func(c *Config) any { return &c.Sockets.OpeningFrame }},
	{"receive-bytes", func(c *Config) any { return &c.Sockets.ReceiveBytes }},
	{"read-timeout", func(c *Config) any { return &c.Sockets.ReadTimeout }},
	{"write-timeout", func(c *Config) any { return &c.Sockets.WriteTimeout }},
}

// Default returns what holds where nothing is set, as text.
func (l Limit) Default() string {
	c := &Config{Limits: core.DefaultLimits(), Sockets: ws.DefaultOptions()}
	if d, ok := l.field(c).(*time.Duration); ok {
		return d.String()
	}
	return strconv.Itoa(*l.field(c).(*int))
}

func parseLimits(c *Config, text string) error {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return fmt.Errorf("%q is not a limit; want NAME=VALUE, as in subscriptions=1000", part)
		}
		if err := setLimit(c, name, value); err != nil {
			return err
		}
	}
	return nil
}

func setLimit(c *Config, name, value string) error {
	for _, l := range limits {
		if l.Name != name {
			continue
		}
		switch field := l.field(c).(type) {
		case *time.Duration:
			if err := parseDuration(field, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		case *int:
			n, err := parseCount(value)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*field = n
		}
		return nil
	}
	return fmt.Errorf("%q is not a limit; docs/limits.md lists them", name)
}

// parseCount reads a number above zero, with KiB or MiB behind it where it counts bytes.
func parseCount(text string) (int, error) {
	number, unit := units(text)
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > (1<<40)/unit {
		return 0, fmt.Errorf("%q is not a number above zero", text)
	}
	return n * unit, nil
}
