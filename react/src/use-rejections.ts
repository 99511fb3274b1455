'use client';

import type { Rejection } from '@ankurah-go/client';

import { useClient } from './provider.ts';
import { useSignal } from './use-signal.ts';

const NONE: readonly Rejection[] = Object.freeze([]);

/**
 * Shows the transactions that the server refused, oldest first, those of earlier visits too, until
 * they are dismissed or tried again.
 *
 * ```tsx
 * const client = useClient()
 * return useRejections().map(({ transaction, message }) => (
 *   <p key={transaction} role="alert">
 *     {message}
 *     <button onClick={() => client.retryRejection(transaction)}>Try again</button>
 *     <button onClick={() => client.dismissRejection(transaction)}>Forget it</button>
 *   </p>
 * ))
 * ```
 */
export function useRejections(): readonly Rejection[] {
  return useSignal(useClient().rejections, NONE);
}
