'use client';

import type { Live, LiveSnapshot } from '@ankurah-go/client';
import { useSyncExternalStore } from 'react';

import { unlessRefused } from './refusal.ts';

/** What a component needs of a live result. */
export type LiveSource<T> = Pick<Live<T>, 'getSnapshot' | 'subscribe'>;

/**
 * A live result that is opened when React first asks for what it shows, and never earlier.
 *
 * Rendering on a server, and hydrating, ask for {@link DeferredLive.getServerSnapshot} alone, so no
 * node is started there. Rendering in the browser opens the result at once, without waiting for the
 * effects: it is opened lazily in the client's sense, so a render that React throws away leaves
 * nothing behind.
 */
export class DeferredLive<T> implements LiveSource<T> {
  readonly #open: () => LiveSource<T>;
  readonly #idle: LiveSnapshot<T>;
  #source: LiveSource<T> | undefined;

  constructor(idle: LiveSnapshot<T>, open: () => LiveSource<T>) {
    this.#idle = idle;
    this.#open = open;
  }

  readonly getSnapshot = (): LiveSnapshot<T> => this.#live().getSnapshot();

  readonly subscribe = (listener: () => void): (() => void) => this.#live().subscribe(listener);

  readonly getServerSnapshot = (): LiveSnapshot<T> => this.#idle;

  /** Returns what shows the same as this, and, once React asks for it, what `open` returns. */
  until<S>(open: () => LiveSource<S | T>): DeferredLive<S | T> {
    return new DeferredLive<S | T>(this.#idle, open);
  }

  /** A query that the client will not even open is a result like any other: one with an error. */
  #live(): LiveSource<T> {
    return (this.#source ??= unlessRefused(this.#open, error => constantLive({ data: this.#idle.data, status: 'error', error })));
  }
}

/** Returns a source that always shows `snapshot`. */
function constantLive<T>(snapshot: LiveSnapshot<T>): DeferredLive<T> {
  return new DeferredLive(snapshot, () => ({ getSnapshot: () => snapshot, subscribe: () => () => undefined }));
}

function unasked<T>(data: T): DeferredLive<T> {
  return constantLive(Object.freeze({ data, status: 'loading', error: undefined }));
}

/** What is shown of rows, and of one value, that are not asked for, or not known yet. */
export const NO_ROWS: DeferredLive<readonly never[]> = unasked(Object.freeze([]));
export const NO_VALUE: DeferredLive<undefined> = unasked(undefined);

/** Reads a live result, and renders the component again when it changes. */
export function useLive<T>(live: DeferredLive<T>): LiveSnapshot<T> {
  return useSyncExternalStore(live.subscribe, live.getSnapshot, live.getServerSnapshot);
}
