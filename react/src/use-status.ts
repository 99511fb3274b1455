'use client';

import type { ClientStatus } from '@ankurah-go/client';

import { useClient } from './provider.ts';
import { useSignal } from './use-signal.ts';

const UNKNOWN: ClientStatus = Object.freeze({
  connection: 'connecting',
  pending: 0,
  error: undefined,
  storage: undefined,
  warning: undefined,
});

/**
 * Shows how the client is: its connection, how many transactions wait for the server, and its last
 * error.
 *
 * ```tsx
 * const { connection, pending } = useStatus()
 * ```
 */
export function useStatus(): ClientStatus {
  return useSignal(useClient().status, UNKNOWN);
}
