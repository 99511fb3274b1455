'use client';

import type { AnyModel, ClientError, LiveStatus, Selection } from '@ankurah-go/client';
import { useMemo } from 'react';

import { useClient } from './provider.ts';
import { useKept } from './use-kept.ts';
import { NO_VALUE, useLive, type DeferredLive } from './use-live.ts';
import {
  keyOf,
  readArguments,
  rowsBefore,
  type BuiltQueryArguments,
  type LiveQueryArguments,
  type Nothing,
  type UseLiveQueryOptions,
} from './use-live-query.ts';

/** What {@link useCount} shows. */
export interface CountSnapshot {
  /** How many there are; undefined until it is known. With an error, what was last known. */
  readonly count: number | undefined;
  /** As that of a live query. */
  readonly status: LiveStatus;
  /** Why the status is `error`, else undefined. */
  readonly error: ClientError | undefined;
}

/**
 * Shows how many entities match a selection, and renders again when that changes, wherever it does.
 *
 * ```tsx
 * const { count } = useCount(Message, 'read = FALSE')
 * const { count: mine } = useCount(Message.where(m => m.author.eq(me)))
 * return <Badge>{count ?? '…'}</Badge>
 * ```
 *
 * The rows are neither transferred nor read: the server keeps the count in step, and what this
 * device changes shows at once. `status` is `local` while it is counted on this device, and `live`
 * when the server has answered. Components that ask the same share one count.
 *
 * The selection is given as to `useLiveQuery`; its order is left out, and it has no limit. When only
 * the selection changes, the count before is shown until there is another, unless `keepPrevious` is
 * false. Null, undefined or false asks nothing: `count` is undefined and `status` is `loading`.
 */
export function useCount<M extends AnyModel>(selection: Selection<M> | Nothing, options?: UseLiveQueryOptions): CountSnapshot;
export function useCount<M extends AnyModel>(model: M, ...query: LiveQueryArguments): CountSnapshot;
export function useCount<M extends AnyModel>(
  ...args: BuiltQueryArguments<M> | [model: M, ...query: LiveQueryArguments]
): CountSnapshot {
  const client = useClient();
  const { asked, options } = readArguments(args);
  const key = asked === undefined ? undefined : keyOf(asked);
  const model = asked?.model;
  // The key stands for text and parameters, which may be new objects with each render.
  // oxlint-disable react/memo-dependencies, react-hooks/exhaustive-deps
  const live = useMemo<DeferredLive<number | undefined>>(
    () => (asked === undefined ? NO_VALUE : NO_VALUE.until(() => client.liveCount(asked, { lazy: true }))),
    [client, model, key],
  );
  // oxlint-enable react/memo-dependencies, react-hooks/exhaustive-deps
  const keep = asked !== undefined && options?.keepPrevious !== false;
  const { data, status, error } = useKept(live, useLive(live), client, model, keep, rowsBefore);
  return useMemo(() => Object.freeze({ count: data, status, error }), [data, status, error]);
}
