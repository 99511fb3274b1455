package tikv

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/storage"
)

// wakes is how the process notices what others commit and broadcast.
type wakes struct {
	once  sync.Once
	wake  chan struct{}
	hints storage.Hints // nil where processes do not tell each other
}

func (w *wakes) init() { w.wake = make(chan struct{}, 1) }

// openHints opens what Options.Hints has.
func (s *store) openHints() (err error) {
	if s.options.Hints == nil {
		return nil
	}
	name := fmt.Sprintf("%d/%s", s.client.GetPDClient().GetClusterID(s.life), s.place.prefix)
	s.wakes.hints, err = s.options.Hints(name)
	return err
}

// tell hints to other processes that there are news.
func (w *wakes) tell(news storage.News) {
	if w.hints != nil {
		w.hints.Tell(news)
	}
}

// told receives when another process has, perhaps, news; never where processes do not tell each
// other.
func (w *wakes) told(news storage.News) <-chan struct{} {
	if w.hints == nil {
		return nil
	}
	return w.hints.Told(news)
}

// pass passes a hint on, unless there is one that nobody has taken yet.
func (w *wakes) pass() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// pollFloor is how often news of others are looked for while there are any, and hintFloor how
// often what they hint at is acted upon.
const (
	pollFloor = 5 * time.Millisecond
	hintFloor = time.Millisecond
)

// lookOut looks for news of other processes until ctx ends, the less often the longer there were
// none, and at least every Options.Poll. Where others tell, hinted is called when they do, and
// it is looked as if there had been none.
func (s *store) lookOut(ctx context.Context, news storage.News, look func() (found bool), hinted func()) {
	wait, heard := pollFloor, false
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			wait = min(2*wait, s.options.Poll)
			if look() && !heard {
				wait = pollFloor
			}
			heard = false
			next.Reset(wait)
		case <-s.wakes.told(news):
			heard = true
			hinted()
			select {
			case <-time.After(hintFloor):
			case <-ctx.Done():
			}
		case <-ctx.Done():
			return
		}
	}
}
