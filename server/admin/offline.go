package admin

import (
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Store is a store of which no server runs in this process; it is asked as a Client is.
type Store struct{ engine storage.Engine }

// Offline returns a store that is asked as a server is. The engine stays the caller's.
func Offline(engine storage.Engine) *Store { return &Store{engine} }

// Inspect returns what there is to see of the store.
func (s *Store) Inspect(ctx context.Context) (*Inspection, error) {
	return InspectStore(ctx, s.engine)
}

// Entity returns an entity with its history.
func (s *Store) Entity(ctx context.Context, e id.EntityID) (*Entity, error) {
	found, err := InspectEntity(ctx, s.engine, e)
	if err == nil && found == nil {
		err = fmt.Errorf("there is no entity %s", e)
	}
	return found, err
}
