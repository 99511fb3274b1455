package tikvtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/testutils"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/ankurah-go/ankurah/core/id"
)

// Cluster is a PD and its stores.
type Cluster struct {
	clock  clock
	client *testutils.MockClient
	mock   *testutils.MockCluster
	pd     *door
	stores []*store

	// exclusive is held for reading by every request, so that no region changes while a
	// request for it is carried out, and held by what has to seem a single step.
	exclusive sync.RWMutex
	onePhase  onePhase // belongs to who holds exclusive
	fault     atomic.Pointer[func(Call) Fault]
	safePoint atomic.Uint64
}

// New starts a cluster of a test's own, with as many stores, that stops when the test ends.
func New(t testing.TB, stores int) *Cluster {
	t.Helper()
	c, err := Start(stores)
	if err != nil {
		t.Fatalf("tikvtest: %v", err)
	}
	t.Cleanup(c.Stop)
	return c
}

var shared struct {
	sync.Once
	cluster *Cluster
	err     error
}

// URL returns that of a new, empty prefix of a cluster that the tests of this binary share:
// the one whose PDs ANKURAH_TIKV_PD has, apart by commas, or else one that runs until the
// binary ends. In a cluster that lives longer what tests have written stays, under prefixes
// that begin with "test-".
func URL(t testing.TB) string {
	t.Helper()
	if addresses := os.Getenv("ANKURAH_TIKV_PD"); addresses != "" {
		return prefixURL(addresses)
	}
	shared.Do(func() { shared.cluster, shared.err = Start(1) })
	if shared.err != nil {
		t.Fatalf("tikvtest: %v", shared.err)
	}
	return shared.cluster.URL()
}

// StopShared ends the cluster that URL has started, if it has.
func StopShared() {
	if shared.cluster != nil {
		shared.cluster.Stop()
	}
}

// URL returns that of a new, empty prefix of the cluster.
func (c *Cluster) URL() string { return prefixURL(c.PD()) }

func prefixURL(pds string) string { return "tikv://" + pds + "/test-" + id.New(nil).String() }

// silence drops what the mock store logs to the standard output: it says of each reverse scan
// that reaches the end of its data that it has met an error.
var silence = sync.OnceFunc(func() {
	log.ReplaceGlobals(zap.NewNop(), &log.ZapProperties{Core: zapcore.NewNopCore(), Level: zap.NewAtomicLevelAt(zapcore.FatalLevel)})
})

// Start starts a cluster with as many stores, on ports that the system chooses. It has the
// client library's log, which this process has in common, say nothing until it is routed again.
func Start(stores int) (_ *Cluster, err error) {
	silence()
	client, mock, _, err := testutils.NewMockTiKV("", nil)
	if err != nil {
		return nil, fmt.Errorf("tikvtest: %w", err)
	}
	c := &Cluster{client: client, mock: mock}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	ids, _, _, _ := testutils.BootstrapWithMultiStores(mock, stores)
	for _, id := range ids {
		s := &store{cluster: c, id: id}
		if s.door, err = c.listen(func(g *grpc.Server) { tikvpb.RegisterTikvServer(g, s) }); err != nil {
			return nil, err
		}
		mock.UpdateStoreAddr(id, s.door.address(), &metapb.StoreLabel{})
		c.stores = append(c.stores, s)
	}
	c.pd, err = c.listen(func(g *grpc.Server) {
		pdpb.RegisterPDServer(g, &pd{cluster: c})
		etcdserverpb.RegisterKVServer(g, &etcd{})
	})
	if err != nil {
		return nil, err
	}
	// Not earlier: clients of another test, which had these ports, may call at once.
	for _, d := range c.doors() {
		d.done.Go(func() { d.server.Serve(d) })
	}
	return c, nil
}

// listen makes a gRPC server behind a door, which does not serve yet.
func (c *Cluster) listen(register func(*grpc.Server)) (*door, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("tikvtest: %w", err)
	}
	d := &door{Listener: listener, open: true, inside: map[net.Conn]bool{}}
	d.server = grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(64<<20),
	)
	register(d.server)
	grpc_health_v1.RegisterHealthServer(d.server, health.NewServer())
	return d, nil
}

// Stop ends the cluster and everything in it.
func (c *Cluster) Stop() {
	for _, d := range c.doors() {
		d.shut()
		d.server.Stop()
		d.done.Wait()
	}
	c.client.Close()
}

// doors returns those that were made.
func (c *Cluster) doors() []*door {
	var doors []*door
	for _, s := range c.stores {
		doors = append(doors, s.door)
	}
	if c.pd != nil {
		doors = append(doors, c.pd)
	}
	return doors
}

// PD returns the address of the PD, host and port.
func (c *Cluster) PD() string { return c.pd.address() }

// Split splits the region that holds key there, unless one begins with it.
func (c *Cluster) Split(key []byte) {
	c.exclusive.Lock()
	defer c.exclusive.Unlock()
	region, _, _, _ := c.mock.GetRegionByKey(encoded(key))
	if string(region.StartKey) == string(encoded(key)) {
		return
	}
	peers := c.mock.AllocIDs(len(region.Peers))
	c.mock.SplitRaw(region.Id, c.mock.AllocID(), encoded(key), peers, peers[0])
}

// MoveLeader makes the peer on a store the leader of the region that holds key. Stores are
// counted from 0.
func (c *Cluster) MoveLeader(key []byte, to int) error {
	c.exclusive.Lock()
	defer c.exclusive.Unlock()
	region, _, _, _ := c.mock.GetRegionByKey(encoded(key))
	for _, peer := range region.Peers {
		if peer.StoreId == c.stores[to].id {
			c.mock.ChangeLeader(region.Id, peer.Id)
			return nil
		}
	}
	return errors.New("tikvtest: the region has no peer on that store")
}

// Regions returns how many regions there are.
func (c *Cluster) Regions() int { return len(c.mock.GetAllRegions()) }

// SafePoint returns the timestamp up to which old versions may be forgotten.
func (c *Cluster) SafePoint() uint64 { return c.safePoint.Load() }

// StopStore has a store vanish: connections to it break, and new ones find nobody. Its data
// stay, as on a disk.
func (c *Cluster) StopStore(i int) { c.stores[i].door.shut() }

// StartStore brings a store back.
func (c *Cluster) StartStore(i int) { c.stores[i].door.unlock() }

// StopPD has the PD vanish.
func (c *Cluster) StopPD() { c.pd.shut() }

// StartPD brings the PD back.
func (c *Cluster) StartPD() { c.pd.unlock() }

// door is the listener of a server that can go away and come back under the same address:
// while it is shut, connections are cut.
type door struct {
	net.Listener
	server *grpc.Server
	done   sync.WaitGroup

	mu     sync.Mutex
	open   bool
	inside map[net.Conn]bool
}

func (d *door) address() string { return d.Listener.Addr().String() }

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if d.enter(conn) {
			return &visitor{conn, d}, nil
		}
		conn.Close()
	}
}

func (d *door) enter(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open {
		d.inside[conn] = true
	}
	return d.open
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = false
	for conn := range d.inside {
		conn.Close()
	}
}

func (d *door) unlock() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = true
}

// cut breaks the connections, and lets new ones in.
func (d *door) cut() {
	d.shut()
	d.unlock()
}

// visitor is a connection that leaves its door when it is closed.
type visitor struct {
	net.Conn
	door *door
}

func (v *visitor) Close() error {
	v.door.mu.Lock()
	delete(v.door.inside, v.Conn)
	v.door.mu.Unlock()
	return v.Conn.Close()
}
