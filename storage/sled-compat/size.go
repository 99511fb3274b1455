package sledcompat

import "context"

// Size implements storage.Sizer: it is that of the whole database, with what has been
// deleted and not been cleaned up yet.
func (s *store) Size(context.Context) (int64, error) {
	return int64(s.tree.db.pebble.Metrics().DiskSpaceUsage()), nil
}
