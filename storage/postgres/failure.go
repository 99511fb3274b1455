package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ankurah-go/ankurah/storage"
)

// What is wrong with a database that Open refuses.
var (
	// ErrForeign: the schema holds something that Ankurah did not make, or the database
	// cannot hold what it would.
	ErrForeign = errors.New("postgres: not a database for Ankurah")
	// ErrNewer: a newer version of Ankurah has written the data.
	ErrNewer = errors.New("postgres: the data was written by a newer version of Ankurah")
)

// Codes of SQLSTATE: the first are our own, raised by _demand.
const (
	codeConflict = "AN001" // a head is not the one expected
	codeOutdated = "AN002" // the tables are not what this process takes them for

	codeFenced = "AN003" // another process has the lease

	codeUniqueViolation = "23505"
	codeSerialization   = "40001"
	codeDeadlock        = "40P01"
	codeDiskFull        = "53100"
	codeCanceled        = "57014" // also by statement_timeout
	codeLockTimeout     = "55P03"
	classCorrupt        = "XX00" // XX001, XX002
)

// unavailable are the classes of what passes: connection, resources, an operator's hand.
var unavailable = []string{"08", "53", "57", "58"}

func codeOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// classify wraps an error of PostgreSQL or of the way to it in those of package storage.
func classify(err error) error {
	code := codeOf(err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrLocked) ||
		errors.Is(err, storage.ErrFenced) || errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrClosed) || errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer):
		return err
	case code == codeFenced:
		return fmt.Errorf("%w: %w", storage.ErrFenced, err)
	case code == codeConflict || code == codeUniqueViolation:
		return fmt.Errorf("%w: %w", storage.ErrConflict, err)
	case code == codeDiskFull:
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	case strings.HasPrefix(code, classCorrupt) && code != "XX000":
		return fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
	case code == "" && cut(err), passes(code):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	if strings.HasPrefix(err.Error(), "postgres: ") {
		return err
	}
	return fmt.Errorf("postgres: %w", err)
}

func passes(code string) bool {
	for _, class := range unavailable {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return code == codeOutdated || code == codeSerialization || code == codeDeadlock || code == codeLockTimeout
}

// cut says of an error that is not PostgreSQL's whether the connection failed.
func cut(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "unexpected EOF") || strings.Contains(err.Error(), "conn closed")
}

// again says whether to make an attempt again, given that it has no effect where it failed.
func again(err error) bool {
	if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrLocked) {
		return false
	}
	switch code := codeOf(err); code {
	case "":
		return cut(err)
	case codeCanceled, codeDiskFull:
		return false
	default:
		return passes(code)
	}
}

// Pauses between attempts.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// attempts calls a function until it succeeds, fails for good, or the time is up. worth says
// whether an error is worth another attempt.
func attempts(ctx context.Context, timeout time.Duration, worth func(error) bool, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var before error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := call(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && before != nil:
			return before // which says more than that the time is up
		case !worth(err):
			return err
		}
		before = err
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
