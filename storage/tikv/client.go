package tikv

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/tikv/client-go/v2/config"
	"github.com/tikv/client-go/v2/tikv"
	pd "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/opt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
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
	secure, err := security.ToTLSConfig()
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
	safePoints, err := newSafePoints(p.pds, secure)
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

// safePoints is what the client asks how far old versions were collected: the etcd within PD,
// where TiDB keeps that. The client library brings the same, with a log of its own that cannot
// be routed.
type safePoints struct{ etcd *clientv3.Client }

func newSafePoints(pds []string, tls *tls.Config) (*safePoints, error) {
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints: pds, TLS: tls, Logger: zap.New(logCore{zapcore.WarnLevel, nil}),
		DialTimeout: safePointTime, DialKeepAliveTime: keepaliveAfter, DialKeepAliveTimeout: keepaliveTimeout,
	})
	if err != nil {
		return nil, err
	}
	return &safePoints{etcd}, nil
}

// safePointTime bounds a question about a safe point, which is asked again and again.
const safePointTime = 5 * time.Second

// Put implements tikv.SafePointKV. Who collects old versions calls it; this program does not.
func (s *safePoints) Put(key, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), safePointTime)
	defer cancel()
	_, err := s.etcd.Put(ctx, key, value)
	return err
}

// Get implements tikv.SafePointKV.
func (s *safePoints) Get(key string) (string, error) {
	pairs, err := s.GetWithPrefix(key)
	for _, p := range pairs {
		if string(p.Key) == key {
			return string(p.Value), err
		}
	}
	return "", err
}

// GetWithPrefix implements tikv.SafePointKV.
func (s *safePoints) GetWithPrefix(prefix string) ([]*mvccpb.KeyValue, error) {
	ctx, cancel := context.WithTimeout(context.Background(), safePointTime)
	defer cancel()
	found, err := s.etcd.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	return found.Kvs, nil
}

// Close implements tikv.SafePointKV.
func (s *safePoints) Close() error { return s.etcd.Close() }
