'use client';

import type { AnyModel, Infer, Selection } from '@ankurah-go/client';
import { useMemo, useSyncExternalStore } from 'react';

import { constantWindow, InfiniteList, type InfiniteListOptions, type InfiniteListSnapshot, type ListPlace } from './infinite-list.ts';
import { useClient } from './provider.ts';
import { useKept } from './use-kept.ts';
import { NO_ROWS } from './use-live.ts';
import { keyOf, type Nothing } from './use-live-query.ts';

/** How {@link useInfiniteLiveQuery} behaves. */
export interface InfiniteLiveQueryOptions extends InfiniteListOptions {
  /**
   * Whether the rows of the previous selection are shown until the new one has its first answer
   * (status `loading`, `isPrevious` true). Default true.
   */
  readonly keepPrevious?: boolean | undefined;
}

/** What {@link useInfiniteLiveQuery} returns. */
export type InfiniteLiveQuery<R> = InfiniteListSnapshot<R> & {
  /** Whether what is shown is of the selection before, because this one has no answer yet. */
  readonly isPrevious: boolean;
  /** Fetches a page behind the last row, unless something is on its way. */
  readonly fetchNext: () => void;
  /** Fetches a page before the first row, unless something is on its way. */
  readonly fetchPrevious: () => void;
  /**
   * Shows another place of the list. Resolves with the number of its row once that is there, or with
   * undefined when another jump took its place or the list has an error.
   */
  readonly jumpTo: (place: ListPlace) => Promise<number | undefined>;
  /**
   * Says which rows are in view, first and last, by their numbers; call it after every scroll. The
   * first of them keeps its number while others come and go, and what lies ahead is fetched: a page
   * more, or, where the view is far from the rows held, those around it.
   */
  readonly show: (first: number, last: number) => void;
};

/**
 * Shows a long list, of which it holds the part around what is in view, and renders again when that
 * changes. Scrolling on fetches and drops rows; no more than `maxRows` are held.
 *
 * ```tsx
 * const list = useInfiniteLiveQuery(Album.orderBy('name'), { pageSize: 50 })
 * const { data, hasNext, isFetchingNext, fetchNext } = list
 * ```
 *
 * Rows have numbers: `data[i]` is row `firstIndex + i` of the list, so that a virtual list may be as
 * long as a count says (`hasNext ? Math.max(count, firstIndex + data.length) : firstIndex + data.length`) and
 * tell by `show` where it is. What is in view keeps its numbers, and so its place on the screen,
 * whatever comes, goes and moves before it.
 *
 * `data`, `status` and `error` are those of {@link useLiveQuery}, and so is how queries are told apart;
 * `pageSize`, `anchor` and `maxRows` count when a list is opened. A selection with a limit of its own
 * is refused. Nothing is asked while the selection is null, undefined or false.
 */
export function useInfiniteLiveQuery<M extends AnyModel>(
  selection: Selection<M> | Nothing,
  options: InfiniteLiveQueryOptions = {},
): InfiniteLiveQuery<Infer<M>> {
  const client = useClient();
  const asked = selection || undefined;
  const key = asked === undefined ? undefined : keyOf(asked);
  const model = asked?.model;
  // The key stands for text and parameters; the options are those of the render that opens the list.
  // oxlint-disable react/memo-dependencies, react-hooks/exhaustive-deps
  const list = useMemo(
    () =>
      new InfiniteList<Infer<M>>(
        range => (asked === undefined ? constantWindow(NO_ROWS.getServerSnapshot()) : client.window(asked, range, { lazy: true })),
        client.status,
        options,
      ),
    [client, model, key],
  );
  // oxlint-enable react/memo-dependencies, react-hooks/exhaustive-deps
  const now = useSyncExternalStore(list.subscribe, list.getSnapshot, list.getServerSnapshot);
  const shown = useKept(list, now, client, model, asked !== undefined && options.keepPrevious !== false, listBefore);
  const isPrevious = shown !== now;
  return useMemo(() => {
    const { fetchNext, fetchPrevious, jumpTo, show } = list;
    // What is in view of the list before says nothing of this one.
    return Object.freeze({ ...shown, isPrevious, fetchNext, fetchPrevious, jumpTo, show: isPrevious ? ignore : show });
  }, [list, shown, isPrevious]);
}

/** Shows the list before while there is none yet. */
function listBefore<S extends InfiniteListSnapshot<unknown>>(before: S, { status, error }: S): S {
  return { ...before, status, error };
}

const ignore = (): void => undefined;
