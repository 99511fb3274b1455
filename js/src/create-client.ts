import { batch, signal, type ReadonlySignal, type Signal } from '@preact/signals-core';

import {
  aggregationOf,
  conditionOf,
  counted,
  countOf,
  type AggregatePath,
  type AggregateQuery,
  type AggregateRow,
  type AggregateSelect,
  type AnyAggregateQuery,
} from './aggregate.ts';
import { chooseHost } from './choose-host.ts';
import type {
  CallOptions,
  Client,
  ClientOptions,
  ClientStatus,
  QueryOptions,
  Receipt,
  Rejection,
  TransactOptions,
  Transaction,
} from './client.ts';
import { ClientError } from './errors.ts';
import type { Explanation } from './explanation.ts';
import type { HistoryOptions, HistoryPage, Moment } from './history.ts';
import type { StartHost } from './host.ts';
import type { Asked } from './live-query.ts';
import { MappedLive, SharedLiveResult } from './live-result.ts';
import { LiveStore } from './live-store.ts';
import type { LiveWindow, WindowRange } from './live-window.ts';
import type { Live, LiveEntity, LiveResult } from './live.ts';
import type { AnyModel, EntityId, Infer } from './model.ts';
import type { Reader, Writer } from './msgpack.ts';
import { writeParams } from './params.ts';
import { selectionOf, type Selection, type SelectionArguments } from './query.ts';
import type { Row } from './row.ts';
import { answerOf, extensions, Session, withResolvers, type SessionEvents } from './session.ts';
import { PageTransaction } from './transaction.ts';
import { readValue } from './value.ts';
import { writeAwait, writeFetch, writeGet, writeToken } from './wire.ts';

/**
 * Opens a node and returns at once; what it does waits until the node is up. A failure to start
 * shows in {@link Client.status} and rejects everything that waits.
 *
 * ```ts
 * import { createClient, defineModel, f } from '@ankurah-go/client'
 *
 * const Album = defineModel('album', { name: f.text(), artist: f.string(), year: f.int() })
 * const client = createClient({ name: 'my-app', models: [Album] })
 *
 * const receipt = await client.transact(async tx => {
 *   const album = await tx.create(Album, { name: 'Origin of Symmetry', artist: 'Muse', year: 2001 })
 *   tx.edit(Album, album.id).set({ year: 2002 })
 * })
 * await receipt.synced
 * ```
 */
export function createClient(options: ClientOptions): Client {
  return new NodeClient(options, chooseHost(options));
}

const countIn = (rows: readonly Row[]): number | undefined => rows[0]?.[counted] as number | undefined;

const rowOf = (rows: readonly Row[]): Row | undefined => rows[0];

/** What waits to hear whether a durable node has a transaction. */
interface Unsettled {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The client over whichever host it is given. */
export class NodeClient implements Client {
  readonly name: string;
  readonly #status: Signal<ClientStatus>;
  readonly #rejections = signal<readonly Rejection[]>(Object.freeze([]));
  readonly #store = new LiveStore();
  readonly #session: Session;
  readonly #unsettled = new Map<string, Unsettled>();
  /** Outcomes that came before their commit was answered, kept while commits are under way. */
  readonly #early = new Map<string, ClientError | undefined>();
  readonly #models: readonly AnyModel[];
  /** The latest refusals, while what reads them is loaded. */
  #turn: Reader | undefined;
  #committing = 0;
  #lastTx = 0;

  constructor(options: ClientOptions, start: StartHost) {
    this.name = options.name;
    this.#models = options.models;
    this.#status = signal<ClientStatus>(
      Object.freeze({ connection: 'connecting', pending: 0, error: undefined, storage: undefined, warning: undefined }),
    );
    const hello = {
      name: options.name,
      url: resolveUrl(options.url),
      storage: options.storage ?? defaultStorage(),
      token: options.token,
      models: options.models,
    };
    const wasmUrl = options.wasmUrl === undefined ? undefined : String(options.wasmUrl);
    this.#session = new Session(start, { name: options.name, wasmUrl }, hello, this.#events());
    this.#store.session = this.#session;
    extensions.set(this, this.#session);
  }

  get status(): ReadonlySignal<ClientStatus> {
    return this.#status;
  }

  get rejections(): ReadonlySignal<readonly Rejection[]> {
    return this.#rejections;
  }

  async ready(options?: CallOptions): Promise<void> {
    await this.#session.request(writeAwait, { signal: options?.signal });
  }

  async transact(callback: (tx: Transaction) => void | Promise<void>, options: TransactOptions = {}): Promise<Receipt> {
    const { signal } = options;
    signal?.throwIfAborted();
    const tx = new PageTransaction(this.#session, ++this.#lastTx);
    return this.#committed(async () => {
      try {
        await callback(tx);
        signal?.throwIfAborted();
        return await tx.commit(options);
      } catch (error) {
        tx.rollback();
        throw error;
      }
    });
  }

  query<M extends AnyModel>(...args: SelectionArguments<M, QueryOptions>): LiveResult<Infer<M>> {
    return this.#live(...selectionOf(args)) as unknown as LiveResult<Infer<M>>;
  }

  window<M extends AnyModel>({ model, text, params }: Selection<M>, range: WindowRange, options?: QueryOptions): LiveWindow<Infer<M>> {
    return this.#live({ model, text, params, window: range }, options) as unknown as LiveWindow<Infer<M>>;
  }

  entity<M extends AnyModel>(model: M, id: EntityId, options?: QueryOptions): LiveEntity<Infer<M>> {
    const live = new MappedLive(this.#live({ model, text: 'id = ?', params: [id] }, options), rowOf);
    return live as unknown as LiveEntity<Infer<M>>;
  }

  async count<M extends AnyModel>(...args: SelectionArguments<M, CallOptions>): Promise<number> {
    const [selection, options] = selectionOf(args);
    return countIn(await this.#answer(this.#counted(selection, undefined), options?.signal)) ?? 0;
  }

  liveCount<M extends AnyModel>(...args: SelectionArguments<M, QueryOptions>): Live<number | undefined> {
    const live = new MappedLive(this.#counted(...selectionOf(args)), countIn);
    return live as unknown as Live<number | undefined>;
  }

  async aggregate<M extends AnyModel, S extends AggregateSelect<M>, G extends AggregatePath<M> = never>(
    model: M,
    query: AggregateQuery<M, S, G>,
    options?: CallOptions,
  ): Promise<readonly AggregateRow<M, S, G>[]> {
    const rows = await this.#answer(this.#aggregated(model, query, undefined), options?.signal);
    return rows as readonly AggregateRow<M, S, G>[];
  }

  liveAggregate<M extends AnyModel, S extends AggregateSelect<M>, G extends AggregatePath<M> = never>(
    model: M,
    query: AggregateQuery<M, S, G>,
    options?: QueryOptions,
  ): Live<readonly AggregateRow<M, S, G>[]> {
    return this.#aggregated(model, query, options) as unknown as Live<readonly AggregateRow<M, S, G>[]>;
  }

  async fetch<M extends AnyModel>(...args: SelectionArguments<M, CallOptions>): Promise<readonly Infer<M>[]> {
    const [{ model, text, params }, options] = selectionOf(args);
    const rows = await this.#session.rows(model, (w, request) => writeFetch(w, request, 0, model.collection, text, params), options);
    return rows as readonly Infer<M>[];
  }

  async get<M extends AnyModel>(model: M, id: EntityId, options?: CallOptions): Promise<Infer<M>> {
    const [row] = await this.#session.rows(model, (w, request) => writeGet(w, request, 0, model.collection, id), options);
    return row as Infer<M>;
  }

  async history<M extends AnyModel>(model: M, id: EntityId, options: HistoryOptions = {}): Promise<HistoryPage<M>> {
    const { readHistory, writeHistory } = await import('./inspection.ts');
    const fields = await this.#inspect((w, request) => writeHistory(w, request, model.collection, id, options), options.signal);
    return readHistory(fields, model, readValue) as unknown as HistoryPage<M>;
  }

  async asOf<M extends AnyModel>(model: M, id: EntityId, moment: Moment, options?: CallOptions): Promise<Infer<M>> {
    const { writeAsOf } = await import('./inspection.ts');
    const [row] = await this.#session.rows(model, (w, request) => writeAsOf(w, request, model.collection, id, moment), options);
    return row as Infer<M>;
  }

  async retryRejection(transaction: string): Promise<Receipt> {
    const { writeRetry } = await import('./inspection.ts');
    return this.#committed(async () =>
      answerOf('committed', await this.#session.request((w, request) => writeRetry(w, request, transaction))).transaction,
    );
  }

  async explain<M extends AnyModel>(...args: SelectionArguments<M, CallOptions>): Promise<Explanation> {
    const [{ model, text, params }, options] = selectionOf(args);
    const { readExplanation, writeExplain } = await import('./inspection.ts');
    const write = (w: Writer, request: number): void => writeExplain(w, request, model.collection, text, params, writeParams);
    return readExplanation(await this.#inspect(write, options?.signal));
  }

  async dismissRejection(transaction: string): Promise<void> {
    await this.#dismiss(transaction);
  }

  async dismissRejections(): Promise<void> {
    await this.#dismiss(undefined);
  }

  async #dismiss(transaction: string | undefined): Promise<void> {
    const { writeDismiss } = await import('./inspection.ts');
    await this.#session.request((w, request) => writeDismiss(w, request, transaction));
  }

  async setToken(token: string | undefined): Promise<void> {
    await this.#session.request((w, request) => writeToken(w, request, token));
  }

  async close(): Promise<void> {
    const closed = new ClientError('closed', 'the client was closed');
    const end = this.#session.end(closed);
    this.#store.stop(closed);
    this.#abandon(closed);
    await end;
  }

  /** Asks for what inspection.ts reads. */
  async #inspect(write: (w: Writer, request: number) => void, signal: AbortSignal | undefined): Promise<Reader> {
    return answerOf('inspected', await this.#session.request(write, { signal })).fields;
  }

  #live(asked: Asked, options: QueryOptions | undefined): SharedLiveResult {
    return new SharedLiveResult(this.#store, asked, options?.lazy ?? false);
  }

  #counted({ model, text, params }: Asked, options: QueryOptions | undefined): SharedLiveResult {
    return this.#live({ model, text, params, aggregation: countOf(model) }, options);
  }

  #aggregated(model: AnyModel, query: AnyAggregateQuery, options: QueryOptions | undefined): SharedLiveResult {
    return this.#live({ model, ...conditionOf(query), aggregation: aggregationOf(model, query) }, options);
  }

  /** Resolves with what a live result shows once it is answered, by the durable node where one is connected. */
  async #answer(live: SharedLiveResult, signal: AbortSignal | undefined): Promise<readonly Row[]> {
    const { promise, resolve, reject } = withResolvers<readonly Row[]>();
    const check = (): void => {
      const { status, data, error } = live.getSnapshot();
      if (status === 'error') reject(error);
      else if (status === 'live' || (status === 'local' && this.#status.peek().connection === 'offline')) resolve(data);
    };
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    const ends = [live.subscribe(check), this.#status.subscribe(check)];
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', abort);
      for (const end of ends) end();
      live.dispose();
    }
  }

  /** Runs what commits a transaction; its outcome may come before its id does. */
  async #committed(commit: () => Promise<string>): Promise<Receipt> {
    this.#committing++;
    try {
      return this.#receipt(await commit());
    } finally {
      if (--this.#committing === 0) this.#early.clear();
    }
  }

  #receipt(id: string): Receipt {
    const { promise, resolve, reject } = withResolvers<void>();
    promise.catch(() => {}); // a refusal that nobody listens to is in `rejections`
    if (this.#early.has(id)) {
      settle({ resolve, reject }, this.#early.get(id));
    } else {
      this.#unsettled.set(id, { resolve, reject });
    }
    return Object.freeze({ id, synced: promise });
  }

  #settled(transaction: string, error: ClientError | undefined): void {
    const unsettled = this.#unsettled.get(transaction);
    if (unsettled !== undefined) {
      this.#unsettled.delete(transaction);
      settle(unsettled, error);
    } else if (this.#committing > 0) {
      this.#early.set(transaction, error);
    }
  }

  /** Shows what was refused; what reads it is loaded when something is. */
  async #refused(count: number, fields: Reader): Promise<void> {
    const turn = (this.#turn = fields);
    const list = count === 0 ? [] : (await import('./inspection.ts')).readRejections(fields, count, this.#models, readValue);
    if (turn === this.#turn) this.#rejections.value = Object.freeze(list);
  }

  /** The node is gone. Its successor reads what was committed, but knows nobody who waits. */
  #lost(): void {
    batch(() => {
      this.#show({ connection: 'connecting', error: undefined });
      this.#store.suspend();
    });
    this.#abandon(new ClientError('closed', 'the tab that ran the node was closed; its successor sends the transaction'));
  }

  /** Leaves receipts without an answer. */
  #abandon(error: ClientError): void {
    const unsettled = [...this.#unsettled.values()];
    this.#unsettled.clear();
    for (const { reject } of unsettled) reject(error);
  }

  #show(change: Partial<ClientStatus>): void {
    const before = this.#status.peek();
    const after = { ...before, ...change };
    const keys = Object.keys(after) as (keyof ClientStatus)[];
    if (keys.some(key => after[key] !== before[key])) this.#status.value = Object.freeze(after);
  }

  #events(): SessionEvents {
    return {
      opened: (storage, warning) => this.#show({ storage, warning }),
      lost: () => this.#lost(),
      resubscribe: () => this.#store.resubscribe(),
      status: ({ connection, pending, error }) => this.#show({ connection, pending, error }),
      settled: (transaction, error) => this.#settled(transaction, error),
      rejections: (count, fields) => void this.#refused(count, fields),
      query: query => this.#store.byWireId(query),
      frameDone: () => this.#store.flush(),
      failed: error => {
        batch(() => {
          this.#show({ connection: 'offline', error });
          this.#store.fail(error);
        });
        this.#abandon(error);
      },
    };
  }
}

function settle({ resolve, reject }: Unsettled, error: ClientError | undefined): void {
  if (error === undefined) resolve();
  else reject(error);
}

/** Returns the server's address; `auto` is this page's own origin. */
function resolveUrl(url: string = 'auto'): string {
  if (url !== 'auto') return url;
  if (typeof location === 'undefined' || !location.host) {
    throw new ClientError('invalid', 'url: "auto" needs a page with an origin; give the address of the server');
  }
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
}

function defaultStorage(): 'indexeddb' | 'memory' {
  return typeof indexedDB === 'undefined' ? 'memory' : 'indexeddb';
}
