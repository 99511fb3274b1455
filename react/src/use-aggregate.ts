'use client';

import {
  aggregateKey,
  type AggregatePath,
  type AggregateQuery,
  type AggregateRow,
  type AggregateSelect,
  type AnyAggregateQuery,
  type AnyModel,
  type LiveSnapshot,
} from '@ankurah-go/client';
import { useMemo } from 'react';

import { useClient } from './provider.ts';
import { unlessRefused } from './refusal.ts';
import { useKept } from './use-kept.ts';
import { NO_ROWS, useLive, type DeferredLive } from './use-live.ts';
import { rowsBefore, type Nothing, type UseLiveQueryOptions } from './use-live-query.ts';

/**
 * Shows what is known of groups of entities, and renders again when that changes, wherever it does.
 *
 * ```tsx
 * const { data: artists } = useAggregate(Album, {
 *   where: 'year > :since', params: { since },
 *   groupBy: ['artist'],
 *   select: { albums: count(), last: max('year') },
 * })
 * return <ul>{artists.map(({ id, artist, albums, last }) => <li key={id}>{artist}: {albums}, last {last}</li>)}</ul>
 * ```
 *
 * `data` is always an array, in the order of what the groups agree in, and a group that did not
 * change is the same object as before. Without `groupBy` it has one row, once there is an answer.
 * What is asked is told apart by its structure, so it may be written inline; null, undefined or
 * false asks nothing. `status` and `error` are those of `useLiveQuery`, and so is `keepPrevious`, as
 * long as the columns stay the same.
 */
export function useAggregate<M extends AnyModel, const S extends AggregateSelect<M>, const G extends AggregatePath<M> = never>(
  model: M,
  query: AggregateQuery<M, S, G> | Nothing,
  options?: UseLiveQueryOptions,
): LiveSnapshot<readonly AggregateRow<M, S, G>[]> {
  const client = useClient();
  const asked = query || undefined;
  const key = asked === undefined ? undefined : keyOf(model, asked);
  // The key stands for the query, which may be a new object with each render.
  // oxlint-disable react/memo-dependencies, react-hooks/exhaustive-deps
  const live = useMemo<DeferredLive<readonly AggregateRow<M, S, G>[]>>(
    () => (asked === undefined ? NO_ROWS : NO_ROWS.until(() => client.liveAggregate(model, asked, { lazy: true }))),
    [client, model, key],
  );
  // oxlint-enable react/memo-dependencies, react-hooks/exhaustive-deps
  const columns = asked === undefined ? undefined : keyOf(model, { groupBy: asked.groupBy, select: asked.select });
  return useKept(live, useLive(live), client, columns, options?.keepPrevious !== false, rowsBefore);
}

/** Names what is asked. What the client will refuse is named after the refusal. */
function keyOf(model: AnyModel, query: AnyAggregateQuery): string {
  return unlessRefused(() => aggregateKey(model, query), refusal => refusal.message);
}
