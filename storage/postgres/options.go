package postgres

import (
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options are an engine's settings; the zero value has the defaults.
type Options struct {
	// Connections is how many connections the pool has at most; default 16.
	Connections int
	// Timeout is how long a statement may take, and how long a call tries to reach a server
	// that does not answer; default 30 s.
	Timeout time.Duration
	// Exclusive refuses a schema that another engine has opened so. One node at a time may
	// write to a feed; those that share a schema have to know of each other.
	Exclusive bool
	// AutoIndexes is how many indexes are made at most for the selections of a
	// collection; default 16, none if negative.
	AutoIndexes int
	// AutoIndexRows is how many rows a table has at least for an index to be made for a
	// selection over it; default 2048.
	AutoIndexRows int
}

func (o *Options) ensureDefaults() {
	if o.Connections <= 0 {
		o.Connections = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.AutoIndexes == 0 {
		o.AutoIndexes = 16
	}
	if o.AutoIndexRows <= 0 {
		o.AutoIndexRows = 2048
	}
}

// defaultSchema is where everything lies unless the URL says otherwise.
const defaultSchema = "ankurah"

// schemaName is what a schema may be called, so that it can be written without thought.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,40}$`)

// poolConfig reads the URL, takes the schema out of it, and sets what every connection has.
func poolConfig(url string, o *Options) (config *pgxpool.Config, schema string, err error) {
	if config, err = pgxpool.ParseConfig(url); err != nil {
		return nil, "", fmt.Errorf("postgres: %w", err)
	}
	params := config.ConnConfig.RuntimeParams
	schema = defaultSchema
	if name, ok := params["schema"]; ok {
		if !schemaName.MatchString(name) {
			return nil, "", fmt.Errorf("postgres: schema %q: want lower-case letters, digits and underscores", name)
		}
		schema = name
		delete(params, "schema")
	}
	config.MaxConns = int32(o.Connections)
	if config.ConnConfig.ConnectTimeout <= 0 || config.ConnConfig.ConnectTimeout > o.Timeout {
		config.ConnConfig.ConnectTimeout = o.Timeout
	}
	for name, setting := range map[string]string{
		"application_name":                    "ankurah",
		"client_encoding":                     "UTF8",
		"standard_conforming_strings":         "on",
		"jit":                                 "off", // it costs more than these statements
		"statement_timeout":                   fmt.Sprint(o.Timeout.Milliseconds()),
		"idle_in_transaction_session_timeout": fmt.Sprint(o.Timeout.Milliseconds()),
	} {
		if _, given := params[name]; !given {
			params[name] = setting
		}
	}
	return config, schema, nil
}
