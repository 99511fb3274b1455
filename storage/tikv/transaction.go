package tikv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
	"github.com/tikv/client-go/v2/oracle"
	"github.com/tikv/client-go/v2/tikv"
	client "github.com/tikv/client-go/v2/txnkv/transaction"

	"github.com/ankurah-go/ankurah/storage"
)

// transaction is an optimistic transaction of the cluster: it reads the store as of its
// beginning, and is refused at its end if another has, since then, written or locked a key
// that it writes or locks itself. What it reads and must not change it therefore locks.
type transaction struct {
	ctx      context.Context
	snapshot *snapshot
	txn      *client.KVTxn
	dirty    bool
}

// errOvertaken: another transaction was faster, and this one has changed nothing.
var errOvertaken = errors.New("tikv: overtaken by another transaction")

// transact runs do in a transaction and commits what it writes. It tries again, calling do
// again, while others are faster; then the error says that nothing was written. After
// storage.ErrUnavailable the outcome is unknown.
func (s *store) transact(ctx context.Context, do func(*transaction) error) error {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, maxWait) {
		err := s.tryOnce(bounded, do)
		if !errors.Is(err, errOvertaken) {
			return s.classify(ctx, err)
		}
		select {
		case <-bounded.Done():
			return s.classify(ctx, err)
		case <-time.After(rand.N(wait)):
		}
	}
}

// maxWait is how long a transaction that was overtaken waits at most before the next try.
const maxWait = 50 * time.Millisecond

func (s *store) tryOnce(ctx context.Context, do func(*transaction) error) error {
	n, err := s.now(ctx)
	if err != nil {
		return err
	}
	txn, err := s.client.Begin(tikv.WithStartTS(n.at))
	if err != nil {
		return err
	}
	// One request where all keys are in one region, in place of two.
	txn.SetEnable1PC(true)
	tx := &transaction{ctx: ctx, snapshot: n, txn: txn}
	if err := do(tx); err != nil || !tx.dirty {
		return errors.Join(err, txn.Rollback()) // of what was not sent yet
	}
	return tx.commit()
}

// time is when the transaction began, by the cluster's clock, in milliseconds since 1970.
func (tx *transaction) time() int64 { return oracle.ExtractPhysical(tx.snapshot.at) }

// get returns the value of a row by its key in the cluster, nil if there is none.
func (tx *transaction) get(key []byte) ([]byte, error) {
	values, err := tx.snapshot.rows(tx.ctx, [][]byte{key})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// put sets the value of a row by its key in the cluster.
func (tx *transaction) put(key, value []byte) error {
	tx.dirty = true
	return tx.txn.Set(key, wrap(value))
}

// putData sets the value under a key of the kv.Store.
func (tx *transaction) putData(key, value []byte) error {
	tx.dirty = true
	return tx.txn.Set(tx.snapshot.store.dataKey(key), wrapData(key, value))
}

// deleteData removes a key of the kv.Store.
func (tx *transaction) deleteData(key []byte) error {
	tx.dirty = true
	return tx.txn.Delete(tx.snapshot.store.dataKey(key))
}

// lock has the commit refused if another transaction has written or locked a key since this
// one began.
func (tx *transaction) lock(keys ...[]byte) error {
	return tx.txn.LockKeys(tx.ctx, kv.NewLockCtx(tx.snapshot.at, kv.LockNoWait, time.Now()), keys...)
}

func (tx *transaction) commit() error {
	err := tx.txn.Commit(tx.ctx)
	var retryable *tikverr.ErrRetryable
	var large *tikverr.ErrTxnTooLarge
	switch {
	case err == nil:
		return nil
	case tikverr.IsErrorUndetermined(err):
	case tikverr.IsErrWriteConflict(err), errors.As(err, &retryable):
		return fmt.Errorf("%w: %w", errOvertaken, err)
	case errors.As(err, &large):
		return fmt.Errorf("tikv: %w", err)
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
}
