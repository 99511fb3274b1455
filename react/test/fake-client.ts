import { signal, type Signal } from '@preact/signals-core';
import {
  aggregateKey,
  ClientError,
  queryKey,
  type AggregatePath,
  type AggregateQuery,
  type AggregateRow,
  type AggregateSelect,
  type AnyAggregateQuery,
  type AnyModel,
  type Client,
  type ClientStatus,
  type EntityId,
  type Infer,
  type Live,
  type LiveEntity,
  type LiveResult,
  type LiveSnapshot,
  type LiveWindow,
  type Params,
  type QueryOptions,
  type Receipt,
  type Rejection,
  type Selection,
  type SelectionArguments,
  type Transaction,
  type WindowRange,
} from '@ankurah-go/client';

import { FakeList, FakeWindow } from './fake-list.ts';

/** How long a live query outlives its last user: as long as the client says. */
export const LINGER_MS = 10;

/** A live query of the fake: what the tests drive, and what all equal results share. */
export class FakeLive<T> {
  snapshot: LiveSnapshot<T>;
  readonly #listeners = new Set<() => void>();
  readonly #closed: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(empty: T, closed: () => void) {
    this.snapshot = Object.freeze({ data: empty, status: 'loading', error: undefined });
    this.#closed = closed;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Shows `data`, answered by this device or confirmed by the server. */
  answer(data: T, status: 'local' | 'live' = 'local'): void {
    this.#show({ data: Object.freeze(data), status, error: undefined });
  }

  /** Shows an error, with what was last known. */
  fail(error: ClientError): void {
    this.#show({ data: this.snapshot.data, status: 'error', error });
  }

  /** Tells the listeners although nothing changed. */
  notify(): void {
    this.#listeners.forEach(listener => listener());
  }

  subscribe(listener: () => void): () => void {
    clearTimeout(this.#timer);
    const entry = (): void => listener(); // the same listener may be subscribed twice
    this.#listeners.add(entry);
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#timer = setTimeout(this.#closed, LINGER_MS);
    };
  }

  #show(snapshot: LiveSnapshot<T>): void {
    this.snapshot = Object.freeze(snapshot);
    this.notify();
  }
}

/**
 * A client without a node: it opens, shares and closes live queries as the real one does, and what
 * they answer is up to the test.
 */
export class FakeClient implements Client {
  readonly name = 'fake';
  readonly status: Signal<ClientStatus> = signal({
    connection: 'connecting',
    pending: 0,
    error: undefined,
    storage: undefined,
    warning: undefined,
  });
  readonly rejections: Signal<readonly Rejection[]> = signal([]);

  /** The live queries and entities that are open now, by key. */
  readonly open: Map<string, FakeLive<unknown>> = new Map();
  /** The keys of everything that was ever opened, in order. */
  readonly opened: string[] = [];
  /** The long lists that were asked for, by key. */
  readonly lists: Map<string, FakeList> = new Map();
  /** Thrown by `query`, `window` and `entity` where set. */
  refuse: Error | undefined;
  /** Answers a query as soon as it is opened, where set and not undefined. */
  answer: ((model: AnyModel, selection: string, params: Params | undefined) => readonly unknown[] | undefined) | undefined;

  query<M extends AnyModel>(
    ...args: SelectionArguments<M, QueryOptions>
  ): LiveResult<Infer<M>> {
    const [of] = args;
    if (!('text' in of)) throw new Error('the hooks hand over built selections');
    const { model, text: selection, params } = of;
    const options = args[1] as QueryOptions | undefined;
    const key = queryKey(model, selection, params);
    const live = (): FakeLive<readonly Infer<M>[]> =>
      this.#share<readonly Infer<M>[]>(key, [], created => {
        const rows = this.answer?.(model, selection, params);
        if (rows !== undefined) created.answer(rows as readonly Infer<M>[]);
      });
    return { ...this.#result(live, options), setSelection: () => undefined };
  }

  window<M extends AnyModel>(selection: Selection<M>, range: WindowRange): LiveWindow<Infer<M>> {
    if (this.refuse !== undefined) throw this.refuse;
    const list = this.list(selection);
    const window = new FakeWindow(list, range);
    list.windows.push(window);
    return window as LiveWindow<unknown> as LiveWindow<Infer<M>>;
  }

  /** The long list of a selection: a thousand rows, whatever the selection says. */
  list(selection: Selection<AnyModel>): FakeList {
    const key = queryKey(selection);
    const list = this.lists.get(key) ?? new FakeList(1000);
    this.lists.set(key, list);
    return list;
  }

  entity<M extends AnyModel>(model: M, id: EntityId, options?: QueryOptions): LiveEntity<Infer<M>> {
    const key = `${model.collection}/${id}`;
    return this.#result(() => this.#share<Infer<M> | undefined>(key, undefined, () => undefined), options);
  }

  /** Returns the open live query of a selection. */
  liveQuery<M extends AnyModel>(model: M, selection: string = '', params?: Params): FakeLive<readonly Infer<M>[]> {
    return this.#mustBeOpen(queryKey(model, selection, params)) as FakeLive<readonly Infer<M>[]>;
  }

  liveCount<M extends AnyModel>(...args: SelectionArguments<M, QueryOptions>): Live<number | undefined> {
    const [of] = args;
    if (!('text' in of)) throw new Error('the hooks hand over built selections');
    const key = `count ${queryKey(of)}`;
    return this.#result(() => this.#share<number | undefined>(key, undefined, () => undefined), args[1] as QueryOptions | undefined);
  }

  liveAggregate<M extends AnyModel, S extends AggregateSelect<M>, G extends AggregatePath<M> = never>(
    model: M,
    query: AggregateQuery<M, S, G>,
    options?: QueryOptions,
  ): Live<readonly AggregateRow<M, S, G>[]> {
    const key = `aggregate ${aggregateKey(model, query)}`;
    return this.#result(() => this.#share<readonly AggregateRow<M, S, G>[]>(key, [], () => undefined), options);
  }

  /** Returns the open count of a selection. */
  openCount(model: AnyModel, selection: string = '', params?: Params): FakeLive<number | undefined> {
    return this.#mustBeOpen(`count ${queryKey(model, selection, params)}`) as FakeLive<number | undefined>;
  }

  /** Returns the open aggregate of a model. */
  openAggregate(model: AnyModel, query: AnyAggregateQuery): FakeLive<readonly object[]> {
    return this.#mustBeOpen(`aggregate ${aggregateKey(model, query)}`) as FakeLive<readonly object[]>;
  }

  async count(): Promise<never> {
    throw new ClientError('offline', 'the fake counts nothing');
  }

  async aggregate(): Promise<never> {
    throw new ClientError('offline', 'the fake counts nothing');
  }

  /** Returns the open live entity of an id. */
  liveEntity<M extends AnyModel>(model: M, id: EntityId): FakeLive<Infer<M> | undefined> {
    return this.#mustBeOpen(`${model.collection}/${id}`) as FakeLive<Infer<M> | undefined>;
  }

  async transact(callback: (tx: Transaction) => void | Promise<void>): Promise<Receipt> {
    await callback({} as Transaction);
    return { id: 'transaction', synced: Promise.resolve() };
  }

  async ready(): Promise<void> {}

  async fetch(): Promise<never> {
    throw new ClientError('offline', 'the fake fetches nothing');
  }

  async get(): Promise<never> {
    throw new ClientError('not-found', 'the fake gets nothing');
  }

  async history(): Promise<never> {
    throw new ClientError('offline', 'the fake has no history');
  }

  async asOf(): Promise<never> {
    throw new ClientError('offline', 'the fake has no history');
  }

  async explain(): Promise<never> {
    throw new ClientError('offline', 'the fake explains nothing');
  }

  async retryRejection(): Promise<never> {
    throw new ClientError('not-found', 'the fake refuses nothing');
  }

  async dismissRejection(): Promise<void> {}

  async dismissRejections(): Promise<void> {}

  async setToken(): Promise<void> {}

  async close(): Promise<void> {}

  #mustBeOpen(key: string): FakeLive<unknown> {
    const live = this.open.get(key);
    if (live === undefined) throw new Error(`${key} is not open; open are: ${[...this.open.keys()].join(', ')}`);
    return live;
  }

  #share<T>(key: string, empty: T, created: (live: FakeLive<T>) => void): FakeLive<T> {
    if (this.refuse !== undefined) throw this.refuse;
    let live = this.open.get(key) as FakeLive<T> | undefined;
    if (live === undefined) {
      live = new FakeLive<T>(empty, () => this.open.delete(key));
      this.open.set(key, live as FakeLive<unknown>);
      this.opened.push(key);
      created(live);
    }
    return live;
  }

  #result<T>(live: () => FakeLive<T>, options: QueryOptions | undefined): Live<T> {
    let shown = live();
    const release = options?.lazy === true ? () => undefined : shown.subscribe(() => undefined);
    const getSnapshot = (): LiveSnapshot<T> => shown.snapshot;
    return {
      get data() {
        return shown.snapshot.data;
      },
      get status() {
        return shown.snapshot.status;
      },
      get error() {
        return shown.snapshot.error;
      },
      getSnapshot,
      subscribe: listener => {
        shown = live();
        return shown.subscribe(listener);
      },
      dispose: release,
    };
  }
}
