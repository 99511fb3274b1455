package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// Explain implements storage.Explainer: it says what PostgreSQL's planner does. Rows are those
// that came from the server.
func (e *Engine) Explain(ctx context.Context, collection string, s *ankql.Selection, limit int) (*storage.Explanation, error) {
	return e.reader.Explain(ctx, collection, s, limit, e.plan)
}

// plan has a statement explained.
func (e *Engine) plan(ctx context.Context, q relational.Statement) ([]relational.Step, error) {
	var text string
	q = relational.Statement{SQL: "EXPLAIN (FORMAT JSON) " + q.SQL, Args: append([]any{pgx.QueryExecModeSimpleProtocol}, q.Args...)}
	err := e.reader.Database.Query(ctx, q, func() {}, func(row relational.Row) error { return row.Scan(&text) })
	if err != nil {
		return nil, err
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
		return nil, fmt.Errorf("postgres: explain: %w", err)
	}
	return plans[0].Plan.appendSteps(nil), nil
}

// planNode is a node of a plan as EXPLAIN gives it.
type planNode struct {
	Type  string     `json:"Node Type"`
	Table string     `json:"Relation Name"`
	Index string     `json:"Index Name"`
	Plans []planNode `json:"Plans"`
}

func (n *planNode) appendSteps(steps []relational.Step) []relational.Step {
	text := strings.ToLower(n.Type)
	if n.Table != "" {
		text += " of " + n.Table
	}
	if n.Index != "" {
		text += " by " + n.Index
	}
	steps = append(steps, relational.Step{Text: text, Index: n.Index, Sorts: n.Type == "Sort"})
	for i := range n.Plans {
		steps = n.Plans[i].appendSteps(steps)
	}
	return steps
}
