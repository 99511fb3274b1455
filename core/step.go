package core

import (
	"context"
)

// step is one change to the replica's data. Several that wait together are stored in one
// batch.
type step struct {
	// stage works out the change on the draft. An error refuses this step alone, and
	// must come before anything was changed.
	stage func(ctx context.Context, d *draft) error
	// show is called when the change is published, in its turn among those of the batch. It
	// runs on the loop and may be nil.
	show func()
	// done is called when the change is stored and published, or why it was not. It runs
	// on the loop, may be nil, and must not block.
	done func(err error)
}

// gather takes what else is waiting.
func (r *replica) gather(first *step) []*step {
	list := []*step{first}
	for len(list) < r.node.limits.GroupCommit {
		select {
		case s := <-r.steps:
			list = append(list, s)
		default:
			return list
		}
	}
	return list
}

// hand gives a step to the loop; it blocks while the queue is full.
func (r *replica) hand(ctx context.Context, s *step) error {
	return enqueue(ctx, r.node.run, r.steps, s)
}

// await hands a step over and waits until it is done.
func (r *replica) await(ctx context.Context, s *step) error {
	outcome := make(chan error, 1)
	waiting := &step{stage: s.stage, show: s.show, done: func(err error) {
		s.finish(err)
		outcome <- err
	}}
	if err := r.hand(ctx, waiting); err != nil {
		return err
	}
	return r.node.run.outcome(ctx, outcome)
}

func (s *step) finish(err error) {
	if s.done != nil {
		s.done(err)
	}
}
