'use client';

import {
  queryKey,
  type AnyModel,
  type Infer,
  type LiveSnapshot,
  type Params,
  type Selection,
} from '@ankurah-go/client';
import { useMemo } from 'react';

import { useClient } from './provider.ts';
import { unlessRefused } from './refusal.ts';
import { useKept } from './use-kept.ts';
import { NO_ROWS, useLive, type DeferredLive } from './use-live.ts';

/** How {@link useLiveQuery} behaves. */
export interface UseLiveQueryOptions {
  /**
   * Whether `data` keeps the rows of the previous selection until the new one has its first answer
   * (status `loading` meanwhile), so that a list does not flicker while a filter is typed. Default
   * true; false empties it at once.
   */
  readonly keepPrevious?: boolean;
}

/** Says that there is nothing to ask yet. */
export type Nothing = null | undefined | false;

/** What {@link useLiveQuery} takes after the model. */
export type LiveQueryArguments = [
  selection?: string | Nothing,
  params?: Params | undefined,
  options?: UseLiveQueryOptions | undefined,
];

export type BuiltQueryArguments<M extends AnyModel> = [
  selection: Selection<M> | Nothing,
  options?: UseLiveQueryOptions | undefined,
];

/**
 * Shows the rows of a selection, and renders again when they change, wherever they changed.
 *
 * ```tsx
 * const { data, status, error } = useLiveQuery(Album.where(a => a.year.gt(since)).orderBy('name').limit(50))
 * const { data: same } = useLiveQuery(Album, 'year > :since ORDER BY name LIMIT 50', { since })
 * ```
 *
 * `data` is always an array, and a row that did not change is the same object as before, so that
 * `memo` spares its component. `status` is `loading` until there is an answer, `local` when this
 * device has answered, `live` when the server has confirmed it, and `error`, with `error` saying
 * why; `data` is then what was last known.
 *
 * Queries are told apart by their structure: they may be built and parameters written inline, and
 * components that ask the same share one live query. When model or client change, `data` starts empty; when only
 * the selection or its parameters do, see {@link UseLiveQueryOptions.keepPrevious}.
 *
 * The selection null, undefined or false asks nothing, for a component that does not know yet what
 * to ask: `data` is empty and `status` is `loading`. A text left out, or empty, selects every row.
 */
export function useLiveQuery<M extends AnyModel>(
  selection: Selection<M> | Nothing,
  options?: UseLiveQueryOptions,
): LiveSnapshot<readonly Infer<M>[]>;
export function useLiveQuery<M extends AnyModel>(model: M, ...query: LiveQueryArguments): LiveSnapshot<readonly Infer<M>[]>;
export function useLiveQuery<M extends AnyModel>(
  ...args: BuiltQueryArguments<M> | [model: M, ...query: LiveQueryArguments]
): LiveSnapshot<readonly Infer<M>[]> {
  const client = useClient();
  const { asked, options } = readArguments(args);
  const key = asked === undefined ? undefined : keyOf(asked);
  const model = asked?.model;
  // The key stands for text and parameters, which may be new objects with each render.
  // oxlint-disable react/memo-dependencies, react-hooks/exhaustive-deps
  const live = useMemo<DeferredLive<readonly Infer<M>[]>>(
    () => (asked === undefined ? NO_ROWS : NO_ROWS.until(() => client.query(asked, { lazy: true }))),
    [client, model, key],
  );
  // oxlint-enable react/memo-dependencies, react-hooks/exhaustive-deps
  return useKept(live, useLive(live), client, model, asked !== undefined && options?.keepPrevious !== false, rowsBefore);
}

/** Returns what is asked, or undefined for nothing, and how. */
export function readArguments<M extends AnyModel>(
  args: BuiltQueryArguments<M> | [model: M, ...query: LiveQueryArguments],
): { readonly asked: Selection<M> | undefined; readonly options: UseLiveQueryOptions | undefined } {
  const [of] = args;
  if (of === null || of === undefined || of === false || 'text' in of) {
    return { asked: of || undefined, options: args[1] as UseLiveQueryOptions | undefined };
  }
  const [, selection, params = [], options] = args as [model: M, ...query: LiveQueryArguments];
  // `parent && 'parent = ?'` must never come to mean every row, therefore undefined is not "left out".
  const text = args.length === 1 ? '' : selection;
  return { asked: typeof text === 'string' ? { model: of, text, params } : undefined, options };
}

/** Shows the rows of the query before in a snapshot that has none yet. */
export function rowsBefore<R>(before: LiveSnapshot<R>, now: LiveSnapshot<R>): LiveSnapshot<R> {
  return before.data === now.data ? now : { ...now, data: before.data };
}

/** Names a query. One with parameters that the client will refuse is named after the refusal. */
export function keyOf(selection: Selection<AnyModel>): string {
  return unlessRefused(() => queryKey(selection), refusal => refusal.message);
}
