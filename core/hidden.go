package core

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// hidden returns the frames that tell the peer which of the entities that it has changed it
// may not see, as they are by now: no subscription of its need have held them, and it shows
// what it has made of them until it hears otherwise.
func (s *session) hidden(events []*proto.Event) (frames [][]byte) {
	if policy.IsPermissive(s.node.policy) {
		return nil
	}
	view := &Context{s.node, s.principal}
	gone := make(map[string][]id.EntityID)
	for page := range slices.Chunk(entitiesOf(events), storage.MaxPage) {
		records, err := s.node.engine.Records(s.run.ctx, page)
		if err != nil {
			if s.run.ctx.Err() == nil {
				s.lost(err)
			}
			return nil
		}
		for _, r := range records {
			if visible(r) != nil && view.readable(r) != nil {
				gone[r.Collection] = append(gone[r.Collection], r.Entity)
			}
		}
	}
	for collection, entities := range gone {
		frames = append(frames, proto.AppendFrame(nil, &proto.Rows{Collection: collection, Gone: entities, Done: true}))
	}
	return frames
}
