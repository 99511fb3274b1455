package bridge

import (
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// explain answers with how a selection is read.
func (s *Session) explain(m *frame.Explain) {
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		s.fail(m.Request, err, m.Text)
		return
	}
	ctx, end, ok := s.begin(s.ctx, m.Request)
	if !ok {
		return
	}
	s.bridge.start(func() {
		defer end()
		x, err := s.service.access.Explain(ctx, m.Collection, selection)
		if err != nil {
			s.fail(m.Request, err, m.Text)
			return
		}
		s.out.message(&frame.Explained{
			Request: m.Request, Plan: x.Plan, Method: string(x.Method), Index: x.Index, Ranges: x.Ranges, Sorted: x.Sorted,
			Residual: x.Residual, Entries: x.Entries, Rows: x.Rows, Returned: x.Returned, More: x.More, Micros: x.Took.Microseconds(),
		})
	})
}
