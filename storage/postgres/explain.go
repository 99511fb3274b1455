package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

var _ storage.Explainer = (*Engine)(nil)

// Explain implements storage.Explainer: it says what PostgreSQL's planner does. Rows are those
// that came from the server.
func (e *Engine) Explain(ctx context.Context, collection string, s *ankql.Selection, limit int) (*storage.Explanation, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	begun, limit := time.Now(), storage.PageSize(limit)
	x := &storage.Explanation{Plan: "no table yet", Method: storage.MethodNothing}
	if t := e.described.Load().tables[collection]; t != nil {
		if err := e.describePlan(ctx, x, t, s, limit); err != nil {
			return nil, err
		}
	}
	var after []byte
	for {
		page, rows, err := e.scanAsDescribed(ctx, collection, s, after, limit-x.Returned)
		if err != nil {
			return nil, err
		}
		x.Rows, x.Returned, x.More, after = x.Rows+rows, x.Returned+len(page.Records), page.More, page.Next
		if !page.More || x.Returned == limit {
			x.Took = time.Since(begun)
			return x, nil
		}
	}
}

// describePlan fills in what the planner says of the first page.
func (e *Engine) describePlan(ctx context.Context, x *storage.Explanation, t *relational.Table, s *ankql.Selection, limit int) error {
	scan := e.layout().Scan(t, e.table(t), s, nil, limit)
	var text string
	err := e.query(ctx, "EXPLAIN (FORMAT JSON) "+scan.SQL, append([]any{pgx.QueryExecModeSimpleProtocol}, scan.Args...), func() {}, func(rows pgx.Rows) error {
		return rows.Scan(&text)
	})
	if err != nil {
		return err
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
		return fmt.Errorf("postgres: explain: %w", err)
	}
	indexes, err := e.indexNames(ctx, t.Collection)
	if err != nil {
		return err
	}
	x.Method, x.Sorted = storage.MethodScan, !scan.Ordered
	if ids, _ := s.Entities(); ids != nil {
		x.Method, x.Ranges = storage.MethodLookup, len(ids)
	}
	if !scan.Exact {
		x.Residual = s.Where.String()
	}
	var steps []string
	plans[0].Plan.walk(func(n *planNode) {
		if columns, ok := indexes[n.Index]; ok {
			x.Method, x.Index, x.Ranges = storage.MethodIndex, columns, 1
		}
		x.Sorted = x.Sorted || n.Type == "Sort"
		steps = append(steps, n.String())
	})
	x.Plan = strings.Join(steps, ", ")
	return nil
}

// planNode is a node of a plan as EXPLAIN gives it.
type planNode struct {
	Type  string     `json:"Node Type"`
	Table string     `json:"Relation Name"`
	Index string     `json:"Index Name"`
	Plans []planNode `json:"Plans"`
}

func (n *planNode) walk(visit func(*planNode)) {
	visit(n)
	for i := range n.Plans {
		n.Plans[i].walk(visit)
	}
}

func (n *planNode) String() string {
	out := strings.ToLower(n.Type)
	if n.Table != "" {
		out += " of " + n.Table
	}
	if n.Index != "" {
		out += " by " + n.Index
	}
	return out
}

// indexNames returns the columns of a collection's indexes by their names in the database.
func (e *Engine) indexNames(ctx context.Context, collection string) (names map[string]string, err error) {
	err = e.query(ctx, "SELECT name, columns FROM "+e.own("_indexes")+" WHERE collection = $1", []any{collection},
		func() { names = map[string]string{} }, func(rows pgx.Rows) error {
			var name, columns string
			err := rows.Scan(&name, &columns)
			names[name] = columns
			return err
		})
	return names, err
}
