package postgres

import (
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ankurah-go/ankurah/storage/relational"
)

// Options are an engine's settings; the zero value has the defaults.
type Options struct {
	// Connections is how many connections the pool has at most; default 16.
	Connections int
	// Timeout is how long a statement may take, and how long a call tries to reach a server
	// that does not answer; default 30 s.
	Timeout time.Duration
	// Exclusive refuses a schema that another engine has opened so, or has joined, and has
	// others that open it so or join it refused.
	Exclusive bool
	// Indexes say when an index is made for a selection.
	Indexes relational.IndexOptions
	// Silent has an engine that shares its schema neither tell others of its commits nor listen
	// for theirs. Then they look from time to time, as they do where a hint gets lost. In the URL
	// it is hints=off.
	Silent bool

	// grace is how long a lock that somebody has is waited for: PostgreSQL may not have noticed
	// yet that the server which had it was killed. Default 2 s.
	grace time.Duration
}

func (o *Options) ensureDefaults() {
	if o.Connections <= 0 {
		o.Connections = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.grace <= 0 {
		o.grace = 2 * time.Second
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
	if hints, ok := params["hints"]; ok {
		if hints != "on" && hints != "off" {
			return nil, "", fmt.Errorf("postgres: hints %q: want on or off", hints)
		}
		o.Silent = o.Silent || hints == "off"
		delete(params, "hints")
	}
	config.MaxConns = int32(o.Connections)
	if config.ConnConfig.ConnectTimeout <= 0 || config.ConnConfig.ConnectTimeout > o.Timeout {
		config.ConnConfig.ConnectTimeout = o.Timeout
	}
	for name, setting := range map[string]string{
		"application_name":            "ankurah",
		"client_encoding":             "UTF8",
		"standard_conforming_strings": "on",
		"jit":                         "off", // it costs more than these statements
		// A machine that is gone lets go of its locks within half a minute.
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",
		"statement_timeout":                   fmt.Sprint(o.Timeout.Milliseconds()),
		"idle_in_transaction_session_timeout": fmt.Sprint(o.Timeout.Milliseconds()),
	} {
		if _, given := params[name]; !given {
			params[name] = setting
		}
	}
	return config, schema, nil
}
