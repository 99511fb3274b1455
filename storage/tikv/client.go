package tikv

import (
	"context"
	"fmt"
	"time"

	"github.com/tikv/client-go/v2/config"
	"github.com/tikv/client-go/v2/tikv"
	pd "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/opt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/ankurah-go/ankurah/storage"
)

// How the client notices that a connection is dead.
const (
	keepaliveAfter   = 10 * time.Second
	keepaliveTimeout = 3 * time.Second
)

// connect returns a client of the cluster. The client library knows no deadline for that,
// so one that comes too late is closed again.
func connect(ctx context.Context, p place, o *Options) (*tikv.KVStore, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	type outcome struct {
		client *tikv.KVStore
		err    error
	}
	done := make(chan outcome)
	go func() {
		client, err := newClient(p, o)
		select {
		case done <- outcome{client, err}:
		case <-ctx.Done():
			if err == nil {
				client.Close()
			}
		}
	}()
	select {
	case out := <-done:
		if out.err != nil {
			return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, out.err)
		}
		return out.client, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: no PD answers at %v: %w", storage.ErrUnavailable, p.pds, ctx.Err())
	}
}

func newClient(p place, o *Options) (_ *tikv.KVStore, err error) {
	security := config.NewSecurity(o.CA, o.Cert, o.Key, nil)
	tls, err := security.ToTLSConfig()
	if err != nil {
		return nil, err
	}
	pdClient, err := pd.NewClient(p.pds,
		pd.SecurityOption{CAPath: o.CA, CertPath: o.Cert, KeyPath: o.Key},
		opt.WithCustomTimeoutOption(o.Attempt),
		opt.WithGRPCDialOptions(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveAfter, Timeout: keepaliveTimeout})),
	)
	if err != nil {
		return nil, err
	}
	codec := tikv.NewCodecPDClient(tikv.ModeTxn, pdClient)
	safePoints, err := tikv.NewEtcdSafePointKV(p.pds, tls)
	if err != nil {
		pdClient.Close()
		return nil, err
	}
	name := fmt.Sprintf("tikv-%d", codec.GetClusterID(context.Background()))
	client, err := tikv.NewKVStore(name, codec, safePoints, tikv.NewRPCClient(tikv.WithSecurity(security), tikv.WithCodec(codec.GetCodec())))
	if err != nil {
		safePoints.Close()
		pdClient.Close()
		return nil, err
	}
	return client, nil
}
