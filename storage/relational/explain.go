package relational

import (
	"context"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
)

// Step is one step of a plan, as a database explains it.
type Step struct {
	Text  string
	Index string // the name of the index that it reads, or ""
	Sorts bool
}

// Explain says how a selection is read: a database's planner explains the statement of its first
// page. Rows are those that came from the database.
func (r *Reader) Explain(ctx context.Context, collection string, s *ankql.Selection, limit int, planner func(context.Context, Statement) ([]Step, error)) (*storage.Explanation, error) {
	begun, limit := time.Now(), storage.PageSize(limit)
	x := &storage.Explanation{Plan: "no table yet", Method: storage.MethodNothing}
	if d := r.Described.Load(); d.Tables[collection] != nil {
		scan := r.Layout.Scan(d.Tables[collection], s, nil, limit)
		steps, err := planner(ctx, scan.Statement)
		if err != nil {
			return nil, err
		}
		d.explain(x, collection, s, scan, steps)
	}
	var after []byte
	for {
		page, rows, err := r.page(ctx, collection, s, after, limit-x.Returned)
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

func (d *Description) explain(x *storage.Explanation, collection string, s *ankql.Selection, scan *Scan, steps []Step) {
	x.Method, x.Sorted = storage.MethodScan, !scan.Ordered
	if ids, _ := s.Entities(); ids != nil {
		x.Method, x.Ranges = storage.MethodLookup, len(ids)
	}
	if !scan.Exact {
		x.Residual = s.Where.String()
	}
	names := map[string]string{}
	for _, ix := range d.Indexes {
		names[ix.Name] = ix.Columns
	}
	texts := make([]string, len(steps))
	for i, step := range steps {
		if columns, ok := names[step.Index]; ok {
			x.Method, x.Index, x.Ranges = storage.MethodIndex, columns, 1
		}
		x.Sorted = x.Sorted || step.Sorts
		texts[i] = step.Text
	}
	x.Plan = strings.Join(texts, ", ")
}
