package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// history answers with a page of an entity's history.
func (s *Session) history(m *frame.History) {
	s.respond(m.Request, func(ctx context.Context) (frame.Answer, error) {
		page, err := s.service.access.History(ctx, m.Collection, m.Entity,
			core.HistoryOptions{Before: m.Before, Limit: int(min(m.Limit, core.MaxRevisions))})
		if err != nil {
			return nil, err
		}
		answer := &frame.Revisions{Request: m.Request, Next: page.Next, List: make([]frame.Revision, len(page.Revisions))}
		for i, r := range page.Revisions {
			answer.List[i] = frame.Revision{Event: r.Event, Millis: r.Time.UnixMilli(), Author: r.Author, User: r.User, Parents: r.Parents, Pending: r.Pending}
			for _, c := range r.Changes {
				answer.List[i].Changes = append(answer.List[i].Changes, frame.ValueChange(c))
			}
		}
		return answer, nil
	})
}

// asOf answers with an entity as it was.
func (s *Session) asOf(m *frame.AsOf) {
	s.readRows(reading{m.Request, 0, m.Collection, "", func(ctx context.Context, _ rowReader) ([]*core.View, error) {
		view, err := s.service.access.AsOf(ctx, m.Collection, m.Entity, core.Moment{Events: clockOf(m.Events), Time: time.UnixMilli(m.Millis)})
		return []*core.View{view}, err
	}})
}

func clockOf(events []id.EventID) proto.Clock { return proto.NewClock(events...) }

// retry makes a refused transaction again, and tells its outcome like that of any other.
func (s *Session) retry(m *frame.Retry) {
	s.respond(m.Request, func(ctx context.Context) (frame.Answer, error) {
		receipt, err := s.service.opened.Node.RetryRejection(ctx, m.Transaction)
		if err != nil {
			return nil, err
		}
		s.service.signalRefused()
		tx := receipt.Transaction()
		s.expect(tx)
		if done, err := outcome(receipt); done { // before anybody expected it
			s.settle(&frame.Settled{Transaction: tx, Err: errorOf(err, "")})
		}
		return &frame.Committed{Request: m.Request, Transaction: tx}, nil
	})
}

// outcome reports whether a transaction has been acknowledged or refused by now.
func outcome(r *core.Receipt) (done bool, err error) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err = r.Synced(ended)
	return !errors.Is(err, context.Canceled), err
}
