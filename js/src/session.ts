import { callOut } from './assert.ts';
import { ClientError } from './errors.ts';
import type { Host, HostEvents, HostOptions, StartHost } from './host.ts';
import type { AnyModel } from './model.ts';
import { Writer, type Reader } from './msgpack.ts';
import { hasNetwork, watchNetwork } from './network.ts';
import type { Row } from './row.ts';
import {
  readFrame,
  version,
  writeCancel,
  writeHello,
  writeNetwork,
  writeReceived,
  type DeltaTarget,
  type Hello,
  type Inbox,
  type NodeStatus,
} from './wire.ts';

/** A frame is sent when it holds this much, and else at the end of the present task. */
const fullFrame = 256 << 10;

/** A frame may hold no more (wasm/frame MaxFrame); the rest waits for the next. */
const maxFrame = 32 << 20;

/** The node is told what was taken in each time that it is this much. */
const receivedStep = 128 << 10;

/** What a request resolves with, by kind of answer. */
export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'opened'; readonly storage: 'indexeddb' | 'memory'; readonly warning: ClientError | undefined }
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'created'; readonly ids: readonly string[] }
  | { readonly kind: 'located'; readonly cursor: string | undefined; readonly index: number }
  | { readonly kind: 'inspected'; readonly fields: Reader }
  | { readonly kind: 'committed'; readonly transaction: string };

/** Returns an answer that is of the kind that was asked for. */
export function answerOf<K extends Answer['kind']>(kind: K, answer: Answer): Extract<Answer, { readonly kind: K }> {
  if (answer.kind !== kind) throw new ClientError('internal', `${kind} expected, not ${answer.kind}`);
  return answer as Extract<Answer, { readonly kind: K }>;
}

/** A request that waits for its answer. */
interface Pending {
  readonly model: AnyModel | undefined;
  readonly rows: Row[];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** What a session tells the client that it belongs to. */
export interface SessionEvents {
  /** The node is open: for the first time, or anew after another took its place. */
  opened(storage: 'indexeddb' | 'memory', warning: ClientError | undefined): void;
  /** The node is gone; another will be opened. */
  lost(): void;
  /** Every live query must be opened (again), before anything else is sent. */
  resubscribe(): void;
  status(status: NodeStatus): void;
  settled(transaction: string, error: ClientError | undefined): void;
  rejections(count: number, fields: Reader): void;
  query(query: number): DeltaTarget | undefined;
  /** All messages of a frame have been handled. */
  frameDone(): void;
  /** Nothing works any more. */
  failed(error: ClientError): void;
}

/** What presence.ts, which not every page loads, does with a session. */
export interface Extension {
  /** There is a node, which knows nothing yet. */
  open(): void;
  members(fields: Reader): void;
}

/** The sessions of clients, for extensions. */
export const extensions: WeakMap<object, Session> = new WeakMap<object, Session>();

/**
 * This page's conversation with the node: collects messages into frames, matches answers with
 * requests, and keeps the node from sending more than the page takes in.
 */
export class Session {
  extension: Extension | undefined;
  readonly #events: SessionEvents;
  readonly #hello: Hello;
  readonly #host: Host;
  readonly #out = new Writer();
  readonly #stopWatching: () => void;
  readonly #pending = new Map<number, Pending>();
  #lastRequest = 0;
  #flushing = false;
  #open = false;
  #generation = 0;
  #received = 0;
  #receivedTold = 0;
  #ended: ClientError | undefined;

  constructor(start: StartHost, options: HostOptions, hello: Hello, events: SessionEvents) {
    this.#events = events;
    this.#hello = hello;
    this.#host = start(options, this.#hostEvents());
    this.#stopWatching = watchNetwork(online => {
      if (this.#open) this.send(w => writeNetwork(w, online)); // else it is told with the hello
    });
  }

  /** Why this session ended, or undefined while it has not. */
  get ended(): ClientError | undefined {
    return this.#ended;
  }

  /** Counts the nodes that took another's place: what one knew of a transaction the next does not. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether there is a node to talk to; what is sent before waits for it. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Sends a message at the end of the present task, together with others; until the session is
   * open it waits. What `write` throws is thrown, and nothing is sent.
   */
  send(write: (w: Writer) => void): void {
    if (this.#ended !== undefined) return;
    const start = this.#out.length;
    try {
      if (start === 0) this.#out.byte(version);
      write(this.#out);
      if (this.#out.length > maxFrame) throw new ClientError('too-large', `${this.#out.length} bytes are more than one frame takes`);
    } catch (error) {
      this.#out.truncate(start);
      throw error;
    }
    this.#schedule();
  }

  /** Sends a request and resolves with its answer. */
  request(
    write: (w: Writer, request: number) => void,
    options?: { readonly model?: AnyModel | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<Answer> {
    const signal = options?.signal;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const request = ++this.#lastRequest;
    const { promise, resolve, reject } = withResolvers<Answer>();
    try {
      this.send(w => write(w, request));
    } catch (error) {
      return Promise.reject(error);
    }
    this.#pending.set(request, { model: options?.model, rows: [], resolve, reject });
    return signal === undefined ? promise : this.#abortable(promise, request, signal);
  }

  /** Sends a request for rows of a model, and resolves with them. */
  async rows(
    model: AnyModel,
    write: (w: Writer, request: number) => void,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly Row[]> {
    return answerOf('rows', await this.request(write, { model, signal: options?.signal })).rows;
  }

  /** Ends the session; every request that waits rejects with `reason`. */
  async end(reason: ClientError): Promise<void> {
    if (this.#ended !== undefined) return;
    this.#flush();
    this.#ended = reason;
    this.#stopWatching();
    this.#rejectAll(reason);
    await this.#host.close();
  }

  async #abortable(promise: Promise<Answer>, request: number, signal: AbortSignal): Promise<Answer> {
    const abort = (): void => {
      const pending = this.#pending.get(request);
      if (pending === undefined) return;
      this.#pending.delete(request);
      this.send(w => writeCancel(w, request));
      pending.reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #schedule(): void {
    if (!this.#open) return;
    if (this.#out.length >= fullFrame) {
      this.#flush();
    } else if (!this.#flushing) {
      this.#flushing = true;
      // Two steps, so that the commit that follows upon a callback's end comes along.
      queueMicrotask(() =>
        queueMicrotask(() => {
          this.#flushing = false;
          this.#flush();
        }),
      );
    }
  }

  #flush(): void {
    if (this.#open && this.#out.length > 0 && this.#ended === undefined) this.#host.send(this.#out.take());
  }

  #hostEvents(): HostEvents {
    return {
      open: () => this.#opened(),
      lost: () => this.#lost(),
      message: frame => this.#receive(frame),
      failed: error => this.#fail(error),
    };
  }

  #opened(): void {
    if (this.#ended !== undefined) return;
    if (this.#open) this.#lost();
    // What was written before the node was there goes after the hello.
    const early = this.#out.take().subarray(1);
    this.#open = true;
    this.#received = this.#receivedTold = 0;
    if (!hasNetwork()) this.send(w => writeNetwork(w, false)); // first, so that nothing is dialled
    this.#sendHello();
    this.#events.resubscribe();
    this.extension?.open();
    if (early.length > 0) this.send(w => w.raw(early));
  }

  /** The node is gone: what was meant for it is too, and the rest waits for the next. */
  #lost(): void {
    if (this.#ended !== undefined || !this.#open) return;
    this.#open = false;
    this.#generation++;
    this.#out.truncate(0);
    this.#rejectAll(
      new ClientError('closed', 'the tab that ran the node was closed; what was under way may have happened'),
    );
    this.#events.lost();
  }

  #sendHello(): void {
    this.request((w, request) => writeHello(w, request, this.#hello)).then(
      answer => {
        if (answer.kind === 'opened') this.#events.opened(answer.storage, answer.warning);
      },
      (error: unknown) => {
        if (this.#ended === undefined && error instanceof ClientError && error.code !== 'closed') this.#fail(error);
      },
    );
  }

  #receive(frame: Uint8Array): void {
    if (this.#ended !== undefined) return;
    this.#received += frame.length;
    try {
      readFrame(frame, this.#inbox);
    } catch (cause) {
      const error = cause instanceof ClientError ? cause : new ClientError('internal', 'the node sent what this page cannot read', { cause });
      this.#fail(error);
      return;
    }
    this.#events.frameDone();
    if (this.#received - this.#receivedTold >= receivedStep) {
      this.#receivedTold = this.#received;
      this.send(w => writeReceived(w, this.#received));
    }
  }

  #fail(error: ClientError): void {
    if (this.#ended !== undefined) return;
    this.end(error).catch(() => {}); // what is broken may also fail to close
    this.#events.failed(error);
  }

  /** An error that answers no request: the end of the session, or a defect to report. */
  #complain(error: ClientError): void {
    if (error.code === 'version' || error.code === 'closed') this.#fail(error);
    else callOut(() => {
      throw error;
    });
  }

  #rejectAll(error: ClientError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }

  #answer(request: number, answer: Answer): void {
    this.#pending.get(request)?.resolve(answer);
    this.#pending.delete(request);
  }

  readonly #inbox: Inbox = {
    done: request => this.#answer(request, { kind: 'done' }),
    failed: (request, error) => {
      if (request === 0) return this.#complain(error);
      this.#pending.get(request)?.reject(error);
      this.#pending.delete(request);
    },
    opened: (request, storage, warning) => this.#answer(request, { kind: 'opened', storage, warning }),
    modelOf: request => this.#pending.get(request)?.model,
    rows: (request, rows, more) => {
      const pending = this.#pending.get(request);
      if (pending === undefined) return;
      for (const row of rows) pending.rows.push(row);
      if (!more) this.#answer(request, { kind: 'rows', rows: Object.freeze(pending.rows) });
    },
    created: (request, ids) => this.#answer(request, { kind: 'created', ids }),
    located: (request, cursor, index) => this.#answer(request, { kind: 'located', cursor, index }),
    inspected: (request, fields) => this.#answer(request, { kind: 'inspected', fields }),
    committed: (request, transaction) => this.#answer(request, { kind: 'committed', transaction }),
    query: query => this.#events.query(query),
    status: status => this.#events.status(status),
    settled: (transaction, error) => this.#events.settled(transaction, error),
    rejections: (count, fields) => this.#events.rejections(count, fields),
    members: fields => this.extension?.members(fields),
  };
}

/** A promise with what settles it. */
export interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Promise.withResolvers, which not every browser has yet. */
export function withResolvers<T>(): Resolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
