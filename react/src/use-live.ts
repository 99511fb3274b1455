'use client';

import { ClientError, type Live, type LiveSnapshot } from '@ankurah-go/client';
import { useSyncExternalStore } from 'react';

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

  #live(): LiveSource<T> {
    return (this.#source ??= this.#openOrExplain());
  }

  /** A query that the client will not even open is a result like any other: one with an error. */
  #openOrExplain(): LiveSource<T> {
    try {
      return this.#open();
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return constantLive({ data: this.#idle.data, status: 'error', error });
    }
  }
}

/** Returns a source that always shows `snapshot`. */
export function constantLive<T>(snapshot: LiveSnapshot<T>): DeferredLive<T> {
  const source: LiveSource<T> = { getSnapshot: () => snapshot, subscribe: () => () => undefined };
  return new DeferredLive(snapshot, () => source);
}

/** Reads a live result, and renders the component again when it changes. */
export function useLive<T>(live: DeferredLive<T>): LiveSnapshot<T> {
  return useSyncExternalStore(live.subscribe, live.getSnapshot, live.getServerSnapshot);
}
