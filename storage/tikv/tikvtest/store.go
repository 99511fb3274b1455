package tikvtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/tikv/client-go/v2/tikvrpc"
)

// store serves the part of TiKV's protocol that optimistic transactions use: streams of
// numbered requests.
type store struct {
	tikvpb.UnimplementedTikvServer
	cluster *Cluster
	id      uint64
	door    *door
}

// Names of the requests, for types that are long in the protocol's package.
type (
	request  = tikvpb.BatchCommandsRequest_Request
	response = tikvpb.BatchCommandsResponse_Response
)

// BatchCommands answers the requests of a stream, each when it is done.
func (s *store) BatchCommands(stream tikvpb.Tikv_BatchCommandsServer) error {
	var sending sync.Mutex
	var pending sync.WaitGroup
	defer pending.Wait()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	for {
		in, err := stream.Recv()
		if err != nil {
			return err
		}
		for i, r := range in.Requests {
			number := in.RequestIds[i]
			pending.Go(func() {
				out := s.answer(ctx, r)
				if out == nil {
					return
				}
				sending.Lock()
				defer sending.Unlock()
				// An error ends the stream, which Recv tells.
				stream.Send(&tikvpb.BatchCommandsResponse{RequestIds: []uint64{number}, Responses: []*response{out}})
			})
		}
	}
}

// GetStoreSafeTS says that no old version may be read from a follower.
func (s *store) GetStoreSafeTS(context.Context, *kvrpcpb.StoreSafeTSRequest) (*kvrpcpb.StoreSafeTSResponse, error) {
	return &kvrpcpb.StoreSafeTSResponse{}, nil
}

// answer carries out one request; nil means that no answer is to be sent.
func (s *store) answer(ctx context.Context, r *request) *response {
	switch c := r.Cmd.(type) {
	case *tikvpb.BatchCommandsRequest_Request_Get:
		if out := carryOut[kvrpcpb.GetResponse](ctx, s, tikvrpc.CmdGet, c.Get); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_Get{Get: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_BatchGet:
		if out := carryOut[kvrpcpb.BatchGetResponse](ctx, s, tikvrpc.CmdBatchGet, c.BatchGet); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_BatchGet{BatchGet: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_Scan:
		if out := carryOut[kvrpcpb.ScanResponse](ctx, s, tikvrpc.CmdScan, c.Scan); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_Scan{Scan: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_Prewrite:
		if out := carryOut[kvrpcpb.PrewriteResponse](ctx, s, tikvrpc.CmdPrewrite, c.Prewrite); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_Prewrite{Prewrite: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_Commit:
		if out := carryOut[kvrpcpb.CommitResponse](ctx, s, tikvrpc.CmdCommit, c.Commit); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_Commit{Commit: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_Cleanup:
		if out := carryOut[kvrpcpb.CleanupResponse](ctx, s, tikvrpc.CmdCleanup, c.Cleanup); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_Cleanup{Cleanup: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_BatchRollback:
		if out := carryOut[kvrpcpb.BatchRollbackResponse](ctx, s, tikvrpc.CmdBatchRollback, c.BatchRollback); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_BatchRollback{BatchRollback: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_ScanLock:
		if out := carryOut[kvrpcpb.ScanLockResponse](ctx, s, tikvrpc.CmdScanLock, c.ScanLock); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_ScanLock{ScanLock: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_ResolveLock:
		if out := carryOut[kvrpcpb.ResolveLockResponse](ctx, s, tikvrpc.CmdResolveLock, c.ResolveLock); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_ResolveLock{ResolveLock: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_CheckTxnStatus:
		if out := carryOut[kvrpcpb.CheckTxnStatusResponse](ctx, s, tikvrpc.CmdCheckTxnStatus, c.CheckTxnStatus); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_CheckTxnStatus{CheckTxnStatus: out}}
		}
	case *tikvpb.BatchCommandsRequest_Request_TxnHeartBeat:
		if out := carryOut[kvrpcpb.TxnHeartBeatResponse](ctx, s, tikvrpc.CmdTxnHeartBeat, c.TxnHeartBeat); out != nil {
			return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_TxnHeartBeat{TxnHeartBeat: out}}
		}
	default: // a sign of life, or what this server does not know
		return &response{Cmd: &tikvpb.BatchCommandsResponse_Response_Empty{Empty: &tikvpb.BatchCommandsEmptyResponse{}}}
	}
	return nil
}

// carryOut does what a request asks for, unless a fault is injected, and returns what to
// answer; nil for nothing.
func carryOut[R any](ctx context.Context, s *store, kind tikvrpc.CmdType, in interface{ GetContext() *kvrpcpb.Context }) *R {
	request := tikvrpc.NewRequest(kind, in, *in.GetContext())
	fault := s.cluster.faultOf(Call{Store: s.number(), Kind: kind.String()})
	if !pause(ctx, fault.Delay) {
		return nil
	}
	var out *tikvrpc.Response
	var err error
	switch e := regionError(fault.Kind, in.GetContext()); {
	case fault.Kind == LostRequest:
	case e != nil:
		out, err = tikvrpc.GenRegionErrorResp(request, e)
	default:
		out, err = s.execute(ctx, request)
	}
	switch {
	case fault.Kind == LostRequest || fault.Kind == LostReply:
		s.door.cut()
		return nil
	case fault.Kind == Silence || err != nil: // the stream has ended
		return nil
	}
	return out.Resp.(*R)
}

// number is the store's place in the cluster.
func (s *store) number() int { return slices.Index(s.cluster.stores, s) }

// execute has the stored data asked or changed.
func (s *store) execute(ctx context.Context, r *tikvrpc.Request) (*tikvrpc.Response, error) {
	if r.Type == tikvrpc.CmdPrewrite && r.Prewrite().TryOnePc {
		// Nobody sees the locks that it has for a moment.
		s.cluster.exclusive.Lock()
		defer s.cluster.exclusive.Unlock()
		return s.commitAtOnce(ctx, r)
	}
	s.cluster.exclusive.RLock()
	defer s.cluster.exclusive.RUnlock()
	return s.cluster.client.SendRequest(ctx, s.door.address(), r, requestTimeout)
}

const requestTimeout = 10 * time.Second

// commitAtOnce is a transaction in one request: it writes, and if nothing is in its way it is
// committed. One that was carried out before, and whose reply got lost, is told so again.
func (s *store) commitAtOnce(ctx context.Context, r *tikvrpc.Request) (*tikvrpc.Response, error) {
	in := r.Prewrite()
	if at := s.cluster.onePhase.at[in.StartVersion]; at != 0 {
		return &tikvrpc.Response{Resp: &kvrpcpb.PrewriteResponse{OnePcCommitTs: at}}, nil
	}
	out, err := s.cluster.client.SendRequest(ctx, s.door.address(), r, requestTimeout)
	if err != nil {
		return nil, err
	}
	written := out.Resp.(*kvrpcpb.PrewriteResponse)
	if written.RegionError != nil || len(written.Errors) > 0 {
		return out, nil
	}
	var keys [][]byte
	for _, m := range in.Mutations {
		keys = append(keys, m.Key)
	}
	at := version(s.cluster.clock.next(1))
	if err := s.cluster.client.MvccStore.Commit(keys, in.StartVersion, at); err != nil {
		return nil, err
	}
	s.cluster.onePhase.add(in.StartVersion, at)
	written.OnePcCommitTs = at
	return out, nil
}

// onePhase remembers the transactions in one request that were committed last, by their begin,
// and when they were. The history of their keys would tell too, the slower the longer it is.
type onePhase struct {
	at    map[uint64]uint64
	begun []uint64 // in turn; the oldest at next, once it is full
	next  int
}

// remembered is how many of them: more than there can be while a reply is waited for.
const remembered = 1 << 16

func (o *onePhase) add(begun, at uint64) {
	if o.at == nil {
		o.at = make(map[uint64]uint64)
	}
	o.at[begun] = at
	if len(o.begun) < remembered {
		o.begun = append(o.begun, begun)
		return
	}
	delete(o.at, o.begun[o.next])
	o.begun[o.next] = begun
	o.next = (o.next + 1) % remembered
}

// pause waits, and reports whether the stream still lives.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
