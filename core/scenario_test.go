package core_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
)

// TestScenarios answers the numbered scenarios of what selections mean in every way that a
// node has: fetched, in a transaction, by a live query opened before the rows came and one
// opened after, where the rows are made and on a node that follows.
func TestScenarios(t *testing.T) {
	all := ankqltest.Scenarios()
	server := open(t, core.Options{Durable: true})
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	peer := open(t, core.Options{})
	local.Connect(server, peer)
	waitLive(t, peer)
	var models []*schema.Model
	for _, s := range all {
		if !slices.Contains(models, s.Data.Model) {
			models = append(models, s.Data.Model)
		}
	}
	for _, n := range []*core.Node{server, peer} {
		if err := n.Register(t.Context(), models...); err != nil {
			t.Fatal(err)
		}
	}
	before := map[int][]*core.LiveQuery{}
	for i, s := range all {
		if sel, err := s.Selection(make([]id.EntityID, len(s.Data.Rows))); err == nil && len(s.Params) == 0 {
			before[i] = []*core.LiveQuery{watchSelection(t, server, s, sel), watchSelection(t, peer, s, sel)}
		}
	}
	ids := map[*ankqltest.Data][]id.EntityID{}
	for i, s := range all {
		if ids[s.Data] == nil {
			// Some are made where they are watched, the others elsewhere.
			ids[s.Data] = createRows(t, []*core.Node{server, peer}[i%2], s.Data)
		}
	}
	delivered(t, peer)
	for i, s := range all {
		t.Run(s.String(), func(t *testing.T) {
			sel, err := s.Selection(ids[s.Data])
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range append(before[i], watchSelection(t, server, s, sel), watchSelection(t, peer, s, sel)) {
				await(t, "live", func() bool { return q.Status() == core.QueryLive })
				await(t, "the right rows", func() bool { return slices.Equal(labels(q.Rows()), s.Want) })
			}
			for _, n := range []*core.Node{server, peer} {
				rows, err := anonymous(n).Fetch(t.Context(), s.Data.Model.Collection, sel)
				if err != nil || !slices.Equal(labels(rows), s.Want) {
					t.Errorf("fetched %q, %v, want %q", labels(rows), err, s.Want)
				}
			}
			tx := anonymous(server).Begin()
			defer tx.Rollback()
			rows, err := tx.Fetch(t.Context(), s.Data.Model.Collection, sel)
			if err != nil || !slices.Equal(labels(rows), s.Want) {
				t.Errorf("in a transaction %q, %v, want %q", labels(rows), err, s.Want)
			}
		})
	}
}

func watchSelection(t *testing.T, n *core.Node, s ankqltest.Scenario, sel *ankql.Selection) *core.LiveQuery {
	t.Helper()
	q, err := anonymous(n).Query(s.Data.Model.Collection, sel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func createRows(t *testing.T, n *core.Node, data *ankqltest.Data) (ids []id.EntityID) {
	t.Helper()
	several(t, n, func(tx *core.Tx) error {
		for _, values := range data.Rows {
			var fields []proto.Field
			for _, name := range slices.Sorted(maps.Keys(values)) {
				fields = append(fields, proto.Field{Name: name, Value: values[name]})
			}
			e, err := tx.Create(t.Context(), data.Model.Collection, fields)
			if err != nil {
				return err
			}
			ids = append(ids, e)
		}
		return nil
	})
	return ids
}

func labels(rows []*core.View) (list []string) {
	for _, v := range rows {
		label, _ := v.Field(ankqltest.Label).AsString()
		list = append(list, label)
	}
	return list
}
