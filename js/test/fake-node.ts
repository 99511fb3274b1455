import type { Host, HostEvents, StartHost } from '../src/host.ts';
import { Reader, Writer } from '../src/msgpack.ts';
import { ulidBytes } from '../src/ulid.ts';
import { version } from '../src/wire.ts';

/** A message that a page sent: its kind and the fields that tests look at. */
export interface Sent {
  readonly kind: number;
  readonly fields: readonly unknown[];
}

/** The kinds of messages by name. */
export const kinds = {
  hello: 1,
  subscribe: 2,
  unsubscribe: 3,
  fetch: 4,
  get: 5,
  create: 6,
  edit: 7,
  mark: 8,
  commit: 9,
  rollback: 10,
  cancel: 11,
  dismiss: 12,
  token: 13,
  await: 14,
  received: 15,
  network: 16,
  aggregate: 17,
  move: 18,
  locate: 19,
  select: 21,
} as const;

const names = new Map<number, string>(Object.entries(kinds).map(([name, kind]) => [kind, name]));

/** Returns the n-th id of the tests. */
export function idOf(n: number): string {
  return `01${n.toString().padStart(24, '0')}`;
}

/** What happened to a row: its id and values, and its places before and after. */
export interface RowChange {
  readonly from?: number;
  readonly to?: number;
  readonly id: string;
  /** How far it is in step: 0 synced, 1 pending, 2 refused. */
  readonly sync?: number;
  readonly values?: readonly unknown[];
}

/** A delta as a test writes it. */
export interface FakeDelta {
  readonly status?: 'loading' | 'local' | 'live' | 'error';
  readonly error?: readonly [code: string, message: string];
  readonly reset?: boolean;
  readonly more?: boolean;
  readonly columns?: readonly string[];
  readonly changes?: readonly RowChange[];
  readonly window?: FakeWindow;
}

/** The state of a query's window. */
export interface FakeWindow {
  readonly anchor?: number;
  readonly hasBefore?: boolean;
  readonly hasAfter?: boolean;
  readonly first?: string;
  readonly last?: string;
  readonly position?: string;
}

/**
 * The far end of the frame protocol under a test's control: it keeps what the page sent, and says
 * what the test tells it to.
 */
export class FakeNode {
  /** What each postMessage carried. */
  readonly frames: Sent[][] = [];
  /** Whether the page closed its host. */
  closed = false;
  #events: HostEvents | undefined;

  /** Starts the host; the node is not open yet. */
  readonly start: StartHost = (_options, events): Host => {
    this.#events = events;
    return {
      send: frame => this.frames.push(decode(frame)),
      close: () => {
        this.closed = true;
        return Promise.resolve();
      },
    };
  };

  /** All messages that the page sent, in order. */
  get sent(): readonly Sent[] {
    return this.frames.flat();
  }

  /** The messages of one kind. */
  of(kind: keyof typeof kinds): readonly Sent[] {
    return this.sent.filter(message => message.kind === kinds[kind]);
  }

  /** The names of what the page sent, without the hello. */
  get log(): readonly string[] {
    return this.sent.map(message => names.get(message.kind) ?? '?').filter(name => name !== 'hello');
  }

  /** Lets the page talk to the node, and answers its hello with a node in memory. */
  async open(): Promise<void> {
    const request = await this.connect();
    this.say(w =>
      message(w, 34, () => {
        w.int(request as number);
        w.int(1);
        w.nil();
      }, 3),
    );
    await settled();
  }

  /** Lets the page talk to the node, and returns the number of its hello. */
  async connect(): Promise<unknown> {
    this.#events?.open();
    await settled();
    return this.of('hello').at(-1)?.fields[0];
  }

  /** Takes the node away, until it is opened again. */
  lose(): void {
    this.#events?.lost();
  }

  /** Breaks the node. */
  fail(error: Parameters<HostEvents['failed']>[0]): void {
    this.#events?.failed(error);
  }

  /** Sends a frame of messages. */
  say(...messages: readonly ((w: Writer) => void)[]): void {
    const w = new Writer();
    w.byte(version);
    for (const write of messages) write(w);
    this.#events?.message(w.take());
  }

  /** Sends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#events?.message(bytes);
  }
}

/** Lets everything that was started run to its end. */
export async function settled(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve));
}

function message(w: Writer, kind: number, fields: () => void, count: number): void {
  w.array(1 + count);
  w.int(kind);
  fields();
}

function writeId(w: Writer, id: string): void {
  const bytes = new Uint8Array(16);
  ulidBytes(id, bytes, 0);
  w.bytes(bytes);
}

function writeValue(w: Writer, value: unknown): void {
  if (value === null || value === undefined) w.nil();
  else if (typeof value === 'string') w.string(value);
  else if (typeof value === 'boolean') w.bool(value);
  else if (typeof value === 'bigint') w.bigint(value);
  else if (Number.isInteger(value)) w.int(value as number);
  else w.float(value as number);
}

function writeWindow(w: Writer, window: FakeWindow | undefined): void {
  if (window === undefined) return w.nil();
  w.array(6);
  w.int(window.anchor ?? 0);
  w.bool(window.hasBefore ?? false);
  w.bool(window.hasAfter ?? false);
  for (const cursor of [window.first, window.last, window.position]) writeValue(w, cursor);
}

function writeError(w: Writer, error: readonly [string, string] | undefined): void {
  if (error === undefined) return w.nil();
  w.array(3);
  w.string(error[0]);
  w.string(error[1]);
  w.nil();
}

/** Says that a request is done. */
export const done = (request: unknown) => (w: Writer): void => message(w, 32, () => w.int(request as number), 1);

/** Says that a request failed. */
export const failed = (request: unknown, code: string, text: string) => (w: Writer): void =>
  message(w, 33, () => {
    w.int(request as number);
    writeError(w, [code, text]);
  }, 2);

/** Answers a fetch or get. */
export const rows = (request: unknown, columns: readonly string[], list: readonly RowChange[], more = false) => (w: Writer): void =>
  message(w, 35, () => {
    w.int(request as number);
    w.bool(more);
    w.array(columns.length);
    for (const column of columns) w.string(column);
    w.array(list.length);
    for (const { id, sync = 0, values = [] } of list) {
      w.array(2 + values.length);
      writeId(w, id);
      w.int(sync);
      for (const value of values) writeValue(w, value);
    }
  }, 4);

/** Answers a create. */
export const created = (request: unknown, ids: readonly string[]) => (w: Writer): void =>
  message(w, 36, () => {
    w.int(request as number);
    const bytes = new Uint8Array(16 * ids.length);
    for (const [i, id] of ids.entries()) ulidBytes(id, bytes, 16 * i);
    w.bytes(bytes);
  }, 2);

/** Answers a commit. */
export const committed = (request: unknown, transaction: string) => (w: Writer): void =>
  message(w, 37, () => {
    w.int(request as number);
    writeId(w, transaction);
  }, 2);

/** Tells what happened to a live query. */
export const delta = (query: unknown, what: FakeDelta) => (w: Writer): void =>
  message(w, 38, () => {
    w.int(query as number);
    w.bool(what.more ?? false);
    w.int(['loading', 'local', 'live', 'error'].indexOf(what.status ?? 'live'));
    writeError(w, what.error);
    w.bool(what.reset ?? false);
    if (what.columns === undefined) {
      w.nil();
    } else {
      w.array(what.columns.length);
      for (const column of what.columns) w.string(column);
    }
    const changes = what.changes ?? [];
    w.array(changes.length);
    for (const { from = -1, to = -1, id, sync = 0, values = [] } of changes) {
      w.array(to < 0 ? 4 : 5 + values.length);
      w.int(to < 0 ? 3 : from < 0 ? 1 : 2);
      w.int(from);
      w.int(to);
      writeId(w, id);
      if (to >= 0) w.int(sync);
      for (const value of values) writeValue(w, value);
    }
    writeWindow(w, what.window);
  }, 8);

/** What happened to groups, as a test writes it. */
export interface FakeGroups {
  readonly status?: 'loading' | 'local' | 'live' | 'error';
  readonly error?: readonly [code: string, message: string];
  readonly reset?: boolean;
  readonly more?: boolean;
  /** Each by its id, with its values; without values it is no more. */
  readonly groups?: readonly (readonly [id: string, ...values: readonly unknown[]])[];
}

/** Tells what happened to a live aggregate. */
export const groups = (query: unknown, what: FakeGroups) => (w: Writer): void =>
  message(w, 42, () => {
    w.int(query as number);
    w.bool(what.more ?? false);
    w.int(['loading', 'local', 'live', 'error'].indexOf(what.status ?? 'live'));
    writeError(w, what.error);
    w.bool(what.reset ?? false);
    const list = what.groups ?? [];
    w.array(list.length);
    for (const [id, ...values] of list) {
      w.array(1 + values.length);
      w.bytes(Uint8Array.from(id, character => character.charCodeAt(0)));
      for (const value of values) writeValue(w, value);
    }
  }, 6);

/** Tells the state of the node. */
export const status = (connection: number, pending: number, error?: readonly [string, string]) => (w: Writer): void =>
  message(w, 39, () => {
    w.int(connection);
    w.int(pending);
    w.bool(true);
    writeError(w, error);
  }, 4);

/** Tells the outcome of a transaction. */
export const settledAs = (transaction: string, error?: readonly [string, string]) => (w: Writer): void =>
  message(w, 40, () => {
    writeId(w, transaction);
    writeError(w, error);
  }, 2);

/** Tells the refused transactions. */
export const rejections = (...list: readonly (readonly [transaction: string, code: string, text: string, time: number])[]) => (w: Writer): void =>
  message(w, 41, () => {
    w.array(list.length);
    for (const [transaction, code, text, time] of list) {
      w.array(5);
      writeId(w, transaction);
      w.string(code);
      w.string(text);
      w.int(time);
      w.array(0);
    }
  }, 1);

function decode(frame: Uint8Array): Sent[] {
  const r = new Reader(frame);
  if (r.byte() !== version) throw new Error('a page sent another version');
  const messages: Sent[] = [];
  while (r.more) {
    const count = r.array();
    const kind = r.number();
    messages.push({ kind, fields: Array.from({ length: count - 1 }, () => readItem(r)) });
  }
  return messages;
}

function readItem(r: Reader): unknown {
  const { code } = r;
  if (r.nil()) return null;
  if (code === 0xc2 || code === 0xc3) return r.bool();
  if ((code & 0xe0) === 0xa0 || (code >= 0xd9 && code <= 0xdb)) return r.string();
  if (code >= 0xc4 && code <= 0xc6) return r.bytes();
  if (code === 0xd8) return r.ulid();
  if ((code & 0xf0) === 0x90 || code === 0xdc || code === 0xdd) return Array.from({ length: r.array() }, () => readItem(r));
  if ((code & 0xf0) === 0x80 || code === 0xde || code === 0xdf) {
    return Object.fromEntries(Array.from({ length: r.map() }, () => [r.string(), readItem(r)]));
  }
  return r.number();
}
