import { callOut } from './assert.ts';
import type { ClientError } from './errors.ts';
import type { LiveResult, LiveSnapshot, LiveStatus, Params } from './live.ts';
import { snapshotOf, type Asked, type LiveQuery, type Snapshot } from './live-query.ts';
import type { LiveStore } from './live-store.ts';
import type { AnyModel } from './model.ts';
import type { Selection } from './query.ts';
import type { Row } from './row.ts';
import type { Window } from './wire.ts';

/** How long a lazy result that nobody subscribes to keeps its query open. */
const lazyDelay = 1000;

/** The parts of a snapshot by their names. */
abstract class Shown<T> {
  abstract readonly getSnapshot: () => LiveSnapshot<T>;

  get data(): T {
    return this.getSnapshot().data;
  }

  get status(): LiveStatus {
    return this.getSnapshot().status;
  }

  get error(): ClientError | undefined {
    return this.getSnapshot().error;
  }
}

/** One user of a live query: an application, or a component. */
export class SharedLiveResult extends Shown<readonly Row[]> implements LiveResult<Row> {
  readonly #store: LiveStore;
  readonly #lazy: boolean;
  readonly #listeners = new Map<symbol, () => void>();
  #query: LiveQuery;
  #stop: (() => void) | undefined;
  #disposed = false;
  /** What is shown while another selection has no answer yet. */
  #carried: Snapshot | undefined;

  constructor(store: LiveStore, asked: Asked, lazy: boolean) {
    super();
    this.#store = store;
    this.#lazy = lazy;
    this.#query = store.hold(asked);
    if (lazy) store.release(this.#query, lazyDelay);
  }

  readonly move = (window: Window): void => this.#store.move(this.#query, window);

  readonly pin = (place: number): void => {
    this.#query.pin = place;
  };

  readonly getSnapshot = (): Snapshot => {
    const present = this.#query.snapshot;
    if (this.#carried !== undefined && present.status === 'loading') return this.#carried;
    this.#carried = undefined;
    return present;
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    if (this.#disposed) return () => {};
    const key = Symbol();
    this.#listeners.set(key, listener);
    if (this.#listeners.size === 1) this.#attach();
    return () => {
      if (this.#listeners.delete(key) && this.#listeners.size === 0) this.#detach();
    };
  };

  setSelection(selection: string | Selection<AnyModel>, given?: Params): void {
    const { text, params } = typeof selection === 'string' ? { text: selection, params: given } : selection;
    const previous = this.#query;
    const { model, aggregation } = previous;
    const asked = { model, text, params, aggregation };
    if (this.#disposed || this.#store.keyOf(asked) === previous.key) return;
    const before = this.getSnapshot();
    const next = this.#store.hold(asked, before.data);
    this.#carried = before.status === 'loading' && before.data.length === 0 ? undefined : snapshotOf(before.data, 'loading', undefined);
    this.#query = next;
    const attached = this.#stop !== undefined;
    this.#stop?.();
    this.#stop = undefined;
    if (attached) this.#stop = next.subscribe(this.#notify);
    if (attached || !this.#lazy) this.#store.release(previous);
    if (!attached && this.#lazy) this.#store.release(next, lazyDelay);
    if (this.getSnapshot() !== before) this.#notify();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#listeners.clear();
    const attached = this.#stop !== undefined;
    this.#stop?.();
    this.#stop = undefined;
    if (attached || !this.#lazy) this.#store.release(this.#query);
  }

  /** The first listener: from here on a lazy result holds its query. */
  #attach(): void {
    if (!this.#store.isOpen(this.#query)) {
      const shown = this.getSnapshot();
      this.#query = this.#store.hold(this.#query, shown.data);
      if (shown.data.length > 0) this.#carried = Object.freeze({ ...shown, status: 'loading', error: undefined });
    } else if (this.#lazy) {
      this.#store.retain(this.#query);
    }
    this.#stop = this.#query.subscribe(this.#notify);
  }

  #detach(): void {
    this.#stop?.();
    this.#stop = undefined;
    if (this.#lazy) this.#store.release(this.#query);
  }

  readonly #notify = (): void => {
    for (const listener of [...this.#listeners.values()]) callOut(listener);
  };
}

/** A live result seen through a function of its rows, as a live entity is. */
export class MappedLive<T> extends Shown<T> {
  readonly #base: SharedLiveResult;
  readonly #map: (rows: readonly Row[]) => T;
  #from: Snapshot | undefined;
  #shown: LiveSnapshot<T> | undefined;

  constructor(base: SharedLiveResult, map: (rows: readonly Row[]) => T) {
    super();
    this.#base = base;
    this.#map = map;
    this.subscribe = base.subscribe;
  }

  readonly getSnapshot = (): LiveSnapshot<T> => {
    const from = this.#base.getSnapshot();
    const before = this.#shown;
    if (before !== undefined && from === this.#from) return before;
    this.#from = from;
    const data = this.#map(from.data);
    const same = before !== undefined && before.data === data && before.status === from.status && before.error === from.error;
    return same ? before : (this.#shown = snapshotOf(data, from.status, from.error));
  };

  readonly subscribe: (listener: () => void) => () => void;

  dispose(): void {
    this.#base.dispose();
  }
}
