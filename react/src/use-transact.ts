'use client';

import type { Client } from '@ankurah-go/client';
import { useCallback } from 'react';

import { useClient } from './provider.ts';

/**
 * Returns a function that runs a transaction, the same function for as long as the client is.
 *
 * ```tsx
 * const transact = useTransact()
 * const remove = () => transact(tx => tx.delete(Album, album.id))
 * ```
 *
 * Its promise resolves when the transaction is safe on this device and every hook shows it, and
 * rejects when the callback threw or the node refused: handle it, as any promise. What the server
 * refuses later takes its changes back by itself; see `Receipt.synced` and `Client.rejections`.
 */
export function useTransact(): Client['transact'] {
  const client = useClient();
  return useCallback<Client['transact']>((callback, options) => client.transact(callback, options), [client]);
}
