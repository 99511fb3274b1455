package tikvtest

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/tikv/client-go/v2/util/codec"
	"github.com/tikv/pd/client/clients/router"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// clusterID is the same for all clusters; nobody compares.
const clusterID = 4242

// clock is the timestamp oracle: milliseconds since 1970, and a counter within each.
type clock struct {
	mu                sync.Mutex
	physical, logical int64
}

// logicalBits is how many bits of a timestamp count within a millisecond.
const logicalBits = 18

// next returns the last of n timestamps that nobody has had.
func (c *clock) next(n uint32) *pdpb.Timestamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now().UnixMilli(); now > c.physical {
		c.physical, c.logical = now, 0
	}
	if c.logical+int64(n) >= 1<<logicalBits {
		c.physical, c.logical = c.physical+1, 0
	}
	c.logical += int64(n)
	return &pdpb.Timestamp{Physical: c.physical, Logical: c.logical}
}

func version(ts *pdpb.Timestamp) uint64 { return uint64(ts.Physical<<logicalBits + ts.Logical) }

// pd serves the part of PD's protocol that a client of TiKV uses.
type pd struct {
	pdpb.UnimplementedPDServer
	cluster *Cluster
}

func header() *pdpb.ResponseHeader { return &pdpb.ResponseHeader{ClusterId: clusterID} }

// GetMembers names this server as all there is.
func (p *pd) GetMembers(context.Context, *pdpb.GetMembersRequest) (*pdpb.GetMembersResponse, error) {
	url := []string{"http://" + p.cluster.PD()}
	member := &pdpb.Member{Name: "pd", MemberId: 1, ClientUrls: url, PeerUrls: url}
	return &pdpb.GetMembersResponse{Header: header(), Members: []*pdpb.Member{member}, Leader: member, EtcdLeader: member}, nil
}

// Tso answers each request on the stream with timestamps.
func (p *pd) Tso(stream pdpb.PD_TsoServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		ts := p.cluster.clock.next(max(in.Count, 1))
		if err := stream.Send(&pdpb.TsoResponse{Header: header(), Count: in.Count, Timestamp: ts}); err != nil {
			return err
		}
	}
}

// IsBootstrapped says yes.
func (p *pd) IsBootstrapped(context.Context, *pdpb.IsBootstrappedRequest) (*pdpb.IsBootstrappedResponse, error) {
	return &pdpb.IsBootstrappedResponse{Header: header(), Bootstrapped: true}, nil
}

// GetStore returns a store.
func (p *pd) GetStore(_ context.Context, in *pdpb.GetStoreRequest) (*pdpb.GetStoreResponse, error) {
	return &pdpb.GetStoreResponse{Header: header(), Store: p.cluster.mock.GetStore(in.StoreId)}, nil
}

// GetAllStores returns all stores.
func (p *pd) GetAllStores(context.Context, *pdpb.GetAllStoresRequest) (*pdpb.GetAllStoresResponse, error) {
	return &pdpb.GetAllStoresResponse{Header: header(), Stores: p.cluster.mock.GetAllStores()}, nil
}

// GetRegion returns the region of a key.
func (p *pd) GetRegion(_ context.Context, in *pdpb.GetRegionRequest) (*pdpb.GetRegionResponse, error) {
	region, leader, _, _ := p.cluster.mock.GetRegionByKey(in.RegionKey)
	return regionResponse(region, leader), nil
}

// GetPrevRegion returns the region before that of a key.
func (p *pd) GetPrevRegion(_ context.Context, in *pdpb.GetRegionRequest) (*pdpb.GetRegionResponse, error) {
	region, leader, _, _ := p.cluster.mock.GetPrevRegionByKey(in.RegionKey)
	return regionResponse(region, leader), nil
}

// GetRegionByID returns a region.
func (p *pd) GetRegionByID(_ context.Context, in *pdpb.GetRegionByIDRequest) (*pdpb.GetRegionResponse, error) {
	region, leader, _, _ := p.cluster.mock.GetRegionByID(in.RegionId)
	return regionResponse(region, leader), nil
}

func regionResponse(region *metapb.Region, leader *metapb.Peer) *pdpb.GetRegionResponse {
	return &pdpb.GetRegionResponse{Header: header(), Region: region, Leader: leader}
}

// ScanRegions returns the regions of a range.
func (p *pd) ScanRegions(_ context.Context, in *pdpb.ScanRegionsRequest) (*pdpb.ScanRegionsResponse, error) {
	out := &pdpb.ScanRegionsResponse{Header: header()}
	for _, r := range p.cluster.mock.ScanRegions(in.StartKey, in.EndKey, int(in.Limit)) {
		out.Regions = append(out.Regions, &pdpb.Region{Region: r.Meta, Leader: r.Leader})
		out.RegionMetas = append(out.RegionMetas, r.Meta)
		out.Leaders = append(out.Leaders, r.Leader)
	}
	return out, nil
}

// BatchScanRegions returns the regions of several ranges.
func (p *pd) BatchScanRegions(_ context.Context, in *pdpb.BatchScanRegionsRequest) (*pdpb.BatchScanRegionsResponse, error) {
	out := &pdpb.BatchScanRegionsResponse{Header: header()}
	var last *router.Region
	for _, r := range in.Ranges {
		for _, region := range p.cluster.mock.ScanRegions(r.StartKey, r.EndKey, int(in.Limit)) {
			if last == nil || last.Meta.Id != region.Meta.Id {
				out.Regions = append(out.Regions, &pdpb.Region{Region: region.Meta, Leader: region.Leader})
			}
			last = region
		}
	}
	return out, nil
}

// GetGCSafePoint says how far old versions may be forgotten.
func (p *pd) GetGCSafePoint(context.Context, *pdpb.GetGCSafePointRequest) (*pdpb.GetGCSafePointResponse, error) {
	return &pdpb.GetGCSafePointResponse{Header: header(), SafePoint: p.cluster.SafePoint()}, nil
}

// UpdateGCSafePoint takes note that older versions may be forgotten, which they are not.
func (p *pd) UpdateGCSafePoint(_ context.Context, in *pdpb.UpdateGCSafePointRequest) (*pdpb.UpdateGCSafePointResponse, error) {
	point := &p.cluster.safePoint
	for old := point.Load(); in.SafePoint > old && !point.CompareAndSwap(old, in.SafePoint); old = point.Load() {
	}
	return &pdpb.UpdateGCSafePointResponse{Header: header(), NewSafePoint: point.Load()}, nil
}

// etcd answers the client, which asks the etcd within PD how far old versions were collected,
// that nobody has written that down.
type etcd struct {
	etcdserverpb.UnimplementedKVServer
}

// Range finds nothing.
func (*etcd) Range(context.Context, *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	return &etcdserverpb.RangeResponse{Header: &etcdserverpb.ResponseHeader{ClusterId: clusterID, Revision: 1}}, nil
}

// encoded returns a key as regions are bounded by it.
func encoded(key []byte) []byte { return codec.EncodeBytes(nil, key) }
