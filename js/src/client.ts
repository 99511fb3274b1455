import type { ReadonlySignal } from '@preact/signals-core';

import type { AggregatePath, AggregateQuery, AggregateRow, AggregateSelect } from './aggregate.ts';
import type { ClientError, ErrorCode } from './errors.ts';
import type { Explanation } from './explanation.ts';
import type { HistoryOptions, HistoryPage, Moment, RejectedChange } from './history.ts';
import type { Live, LiveEntity, LiveResult, Params } from './live.ts';
import type { LiveWindow, WindowRange } from './live-window.ts';
import type { AnyModel, CreateInput, EntityId, Infer, SetInput } from './model.ts';
import type { Selection } from './query.ts';

/** How `createClient` opens a node. */
export interface ClientOptions {
  /**
   * Names the database on this device and the worker that the tabs of this origin share: one per
   * application (and per user, where several sign in on one device).
   */
  readonly name: string;
  /** The models that this application uses. */
  readonly models: readonly AnyModel[];
  /** The durable server's WebSocket; default `auto`: `/ws` on the page's own origin. */
  readonly url?: string;
  /** Presented to the server's policy agent; see {@link Client.setToken}. */
  readonly token?: string;
  /** Where the node keeps its data; default `indexeddb`, and `memory` outside browsers. */
  readonly storage?: 'indexeddb' | 'memory';
  /** False runs the node in the page instead of a worker: for tests and Node.js. */
  readonly worker?: boolean;
  /** Where `ankurah.wasm` is; default beside this package's own files. For a CDN or a strict CSP. */
  readonly wasmUrl?: string | URL;
}

/** What {@link Client.status} shows. */
export interface ClientStatus {
  /** `live` when the durable node answers, `offline` when it does not, `connecting` meanwhile. */
  readonly connection: 'connecting' | 'live' | 'offline';
  /** Transactions of this device that no durable node has acknowledged yet. */
  readonly pending: number;
  /** Why there is no connection, or why the node itself could not be started. */
  readonly error: ClientError | undefined;
  /** Where the data is kept; undefined until the node is open. */
  readonly storage: 'indexeddb' | 'memory' | undefined;
  /** Set when the data is kept in memory although IndexedDB was asked for (code `storage`). */
  readonly warning: ClientError | undefined;
}

/**
 * A transaction that the durable node refused; kept over reloads until it is tried again, replaced or
 * dismissed:
 *
 * ```ts
 * import { createClient, defineModel, f, type Rejection } from '@ankurah-go/client'
 *
 * const Album = defineModel('album', { name: f.text(), year: f.int().optional() })
 * const client = createClient({ name: 'my-app', models: [Album] })
 *
 * const again = (refused: Rejection) => client.retryRejection(refused.transaction)
 * const otherwise = ({ transaction, changes: [change] }: Rejection, year: number) =>
 *   client.transact(tx => {
 *     if (change?.kind === 'edit') tx.edit(Album, change.id).set({ ...change.values, year })
 *   }, { replaces: transaction })
 * const discard = (refused: Rejection) => client.dismissRejection(refused.transaction)
 * ```
 */
export interface Rejection {
  /** The transaction's id, as in its receipt. */
  readonly transaction: string;
  /** Why, as a code. */
  readonly code: ErrorCode;
  /** Why, in words. */
  readonly message: string;
  /** When the refusal came. */
  readonly time: Date;
  /**
   * What the transaction would have done, in order, for showing and for doing it in another way;
   * empty where it was too much to keep. See {@link Client.retryRejection}.
   */
  readonly changes: readonly RejectedChange[];
}

/** What a committed transaction leaves in hand: it is safe on this device. */
export interface Receipt {
  /** The transaction's id. */
  readonly id: string;
  /**
   * Resolves when a durable node has the transaction, rejects with why it was refused. Nobody has
   * to listen: a refusal is in {@link Client.rejections} too.
   */
  readonly synced: Promise<void>;
}

/** Cancellation, wherever Go takes a context. */
export interface CallOptions {
  /** Gives up the call; its promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How {@link Client.transact} commits. */
export interface TransactOptions extends CallOptions {
  /**
   * A refused transaction ({@link Rejection.transaction}) in whose place this one is made: its changes,
   * done in another way. The refusal goes in the same step as the commit; if it is gone already,
   * because it was tried again in another tab, say, nothing is committed, and the promise rejects with
   * `not-found`.
   */
  readonly replaces?: string;
}

/** How {@link Client.query} keeps its result. */
export interface QueryOptions {
  /**
   * True for a result that may never be used, as one made while rendering: it starts at once, but
   * only subscribers keep it going, not the result itself. Without them it is closed after a second
   * and starts again with the next subscriber.
   */
  readonly lazy?: boolean;
}

/** One entity to edit inside a transaction. */
export interface Editor<M extends AnyModel> {
  /** The entity's id. */
  readonly id: EntityId;
  /**
   * Writes properties; those left out or undefined stay as they are. What the node refuses (an
   * entity that it does not know) makes the transaction fail.
   *
   * @throws {ClientError} `schema` for a value that a property does not take.
   */
  set(values: SetInput<M>): void;
}

/**
 * One transaction. Its operations are collected and leave together; its reads see one unchanging
 * state with its own writes. It is usable until its callback has ended.
 */
export interface Transaction {
  /**
   * Creates an entity. Its id is final when the promise resolves; there is no need to wait
   * otherwise, the commit does.
   */
  create<M extends AnyModel>(model: M, values: CreateInput<M>): Promise<Infer<M>>;
  /** Creates many entities of one model, the fastest way to. */
  createMany<M extends AnyModel>(model: M, values: readonly CreateInput<M>[]): Promise<readonly Infer<M>[]>;
  /** Returns an editor of an entity. */
  edit<M extends AnyModel>(model: M, id: EntityId): Editor<M>;
  /** Deletes an entity: it leaves every result, and can be restored. */
  delete<M extends AnyModel>(model: M, id: EntityId): void;
  /** Brings a deleted entity back. */
  restore<M extends AnyModel>(model: M, id: EntityId): void;
  /** Reads one entity; rejects with `not-found`. */
  get<M extends AnyModel>(model: M, id: EntityId): Promise<Infer<M>>;
  /** Reads the rows of a selection. */
  query<M extends AnyModel>(selection: Selection<M>): Promise<readonly Infer<M>[]>;
  query<M extends AnyModel>(model: M, selection?: string, params?: Params): Promise<readonly Infer<M>[]>;
}

/** A node of the system, as an application uses it. */
export interface Client {
  /** The name it was created with. */
  readonly name: string;
  /** Connection, pending transactions and errors, as a signal. */
  readonly status: ReadonlySignal<ClientStatus>;
  /** Refused transactions, oldest first, as a signal. */
  readonly rejections: ReadonlySignal<readonly Rejection[]>;

  /** Resolves when the node holds a system to work in: at once, but for the first visit offline. */
  ready(options?: CallOptions): Promise<void>;
  /**
   * Runs a transaction. It is committed when the callback ends, and rolled back when it throws.
   * Resolves when it is safe on this device and every live result shows it.
   */
  transact(callback: (tx: Transaction) => void | Promise<void>, options?: TransactOptions): Promise<Receipt>;
  /**
   * Opens a live result.
   *
   * ```ts
   * import { createClient, defineModel, f } from '@ankurah-go/client'
   *
   * const Album = defineModel('album', { name: f.text(), year: f.int() })
   * const client = createClient({ name: 'my-app', models: [Album] })
   *
   * const albums = client.query(Album.where(a => a.year.gt(1985)).orderBy('name').limit(50))
   * const same = client.query(Album, 'year > :since ORDER BY name LIMIT 50', { since: 1985 })
   * const stop = albums.subscribe(() => {
   *   for (const album of albums.data) console.log(album.name, album.year)
   * })
   * ```
   *
   * Results with equal model, selection and parameters share one live query.
   * Call {@link LiveResult.dispose} when done.
   */
  query<M extends AnyModel>(selection: Selection<M>, options?: QueryOptions): LiveResult<Infer<M>>;
  query<M extends AnyModel>(
    model: M,
    selection?: string,
    params?: Params,
    options?: QueryOptions,
  ): LiveResult<Infer<M>>;
  /**
   * Opens a part of a long list, around an anchor that stays where it is while rows come, go and
   * move. The selection has no limit of its own.
   *
   * ```ts
   * import { createClient, defineModel, f } from '@ankurah-go/client'
   *
   * const Message = defineModel('message', { text: f.text(), sent: f.time() })
   * const client = createClient({ name: 'my-app', models: [Message] })
   *
   * const recent = client.window(Message.orderBy('sent'), { anchor: 'end', before: 30, after: 0 })
   * recent.subscribe(() => console.log(recent.data.length, recent.getSnapshot().window?.hasBefore))
   * recent.move({ anchor: 'end', before: 60, after: 0 })
   * ```
   *
   * Call {@link LiveWindow.dispose} when done.
   */
  window<M extends AnyModel>(selection: Selection<M>, range: WindowRange, options?: QueryOptions): LiveWindow<Infer<M>>;
  /** Opens a live entity. Call {@link LiveEntity.dispose} when done. */
  entity<M extends AnyModel>(model: M, id: EntityId, options?: QueryOptions): LiveEntity<Infer<M>>;
  /**
   * Counts the entities of a selection, whose order is left out and which has no limit: on the
   * durable node where it is connected, without transferring rows, and else on this device.
   *
   * ```ts
   * import { createClient, defineModel, f } from '@ankurah-go/client'
   *
   * const Message = defineModel('message', { text: f.text(), read: f.bool().default(false) })
   * const client = createClient({ name: 'my-app', models: [Message] })
   *
   * const unread = await client.count(Message, 'read = FALSE')
   * const same = await client.count(Message.where(m => m.read.eq(false)))
   * ```
   */
  count<M extends AnyModel>(selection: Selection<M>, options?: CallOptions): Promise<number>;
  count<M extends AnyModel>(model: M, selection?: string, params?: Params, options?: CallOptions): Promise<number>;
  /**
   * Opens a count that stays true; undefined until it is known. Equal counts share one. The durable
   * node keeps it in step, at no cost for the rows that it counts; this device's own changes show in
   * it at once.
   */
  liveCount<M extends AnyModel>(selection: Selection<M>, options?: QueryOptions): Live<number | undefined>;
  liveCount<M extends AnyModel>(
    model: M,
    selection?: string,
    params?: Params,
    options?: QueryOptions,
  ): Live<number | undefined>;
  /**
   * Asks what is to be known of groups of entities, in the order of what the groups agree in.
   *
   * ```ts
   * import { avg, count, createClient, defineModel, f, max } from '@ankurah-go/client'
   *
   * const Album = defineModel('album', { artist: f.string(), year: f.int(), rating: f.float().optional() })
   * const client = createClient({ name: 'my-app', models: [Album] })
   *
   * const artists = await client.aggregate(Album, {
   *   where: Album.where(a => a.year.gt(1985)),
   *   groupBy: ['artist'],
   *   select: { albums: count(), rating: avg('rating'), last: max('year') },
   * })
   * for (const { artist, albums, rating, last } of artists) console.log(artist, albums, rating ?? '-', last)
   * ```
   */
  aggregate<M extends AnyModel, const S extends AggregateSelect<M>, const G extends AggregatePath<M> = never>(
    model: M,
    query: AggregateQuery<M, S, G>,
    options?: CallOptions,
  ): Promise<readonly AggregateRow<M, S, G>[]>;
  /** Opens groups that stay true; a group that did not change is the same object as before. */
  liveAggregate<M extends AnyModel, const S extends AggregateSelect<M>, const G extends AggregatePath<M> = never>(
    model: M,
    query: AggregateQuery<M, S, G>,
    options?: QueryOptions,
  ): Live<readonly AggregateRow<M, S, G>[]>;
  /** Reads the rows of a selection once. */
  fetch<M extends AnyModel>(selection: Selection<M>, options?: CallOptions): Promise<readonly Infer<M>[]>;
  fetch<M extends AnyModel>(
    model: M,
    selection?: string,
    params?: Params,
    options?: CallOptions,
  ): Promise<readonly Infer<M>[]>;
  /** Reads one entity once, from this device or else from the durable node; rejects with `not-found`. */
  get<M extends AnyModel>(model: M, id: EntityId, options?: CallOptions): Promise<Infer<M>>;
  /**
   * Reads what happened to an entity, deleted or not, the latest first: from the durable node, with
   * what waits on this device to be sent before it. Rejects with `not-found`, or `offline` without
   * a connection.
   *
   * ```ts
   * import { createClient, defineModel, f } from '@ankurah-go/client'
   *
   * const Album = defineModel('album', { name: f.text(), year: f.int() })
   * const client = createClient({ name: 'my-app', models: [Album] })
   *
   * async function undo(id: string) {
   *   const { revisions: [last] } = await client.history(Album, id, { limit: 1 })
   *   const before = last?.changes.year?.before
   *   if (before != null) await client.transact(tx => tx.edit(Album, id).set({ year: before }))
   * }
   * ```
   */
  history<M extends AnyModel>(model: M, id: EntityId, options?: HistoryOptions): Promise<HistoryPage<M>>;
  /** Reads an entity as it was at a moment; rejects with `not-found` if it did not exist, or was deleted. */
  asOf<M extends AnyModel>(model: M, id: EntityId, moment: Moment, options?: CallOptions): Promise<Infer<M>>;
  /**
   * Reads the rows of a selection from this device, and says how: by which index, how many rows were
   * read, how many returned.
   *
   * ```ts
   * import { createClient, defineModel, f } from '@ankurah-go/client'
   *
   * const Album = defineModel('album', { name: f.text(), year: f.int() })
   * const client = createClient({ name: 'my-app', models: [Album] })
   *
   * const { plan, index, rows, returned } = await client.explain(Album.where(a => a.year.eq(2001)))
   * console.log(`${plan}: ${rows} rows read for ${returned} by ${index ?? 'no index'}`)
   * ```
   */
  explain<M extends AnyModel>(selection: Selection<M>, options?: CallOptions): Promise<Explanation>;
  explain<M extends AnyModel>(
    model: M,
    selection?: string,
    params?: Params,
    options?: CallOptions,
  ): Promise<Explanation>;
  /** Forgets a refused transaction. */
  dismissRejection(transaction: string): Promise<void>;
  /** Forgets all refused transactions. */
  dismissRejections(): Promise<void>;
  /**
   * Makes a refused transaction again, under a new id, and forgets the refusal: what it creates has
   * the ids that were given out, edits are made on top of what the entities are now. Rejects with
   * `not-found` for one that is not in {@link Client.rejections}, or of an entity that is gone.
   */
  retryRejection(transaction: string): Promise<Receipt>;
  /**
   * Presents another token to the server: the connection is made anew with it. An app whose tokens
   * expire calls this before they do, or when the status shows an error of code `expired`.
   */
  setToken(token: string | undefined): Promise<void>;
  /**
   * Ends this client: live results stop, what is unfinished rejects with `closed`. What was
   * committed stays, and is sent by the next client that opens the same name.
   */
  close(): Promise<void>;
}
