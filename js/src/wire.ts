// The protocol between a page and the node in its worker.
//
//	frame   = version message*
//	message = [kind, field…], fields in the order of the message's declaration
//
//	page → node                          node → page
//	 1 hello       open the node         32 done        a request succeeded
//	 2 subscribe   open a live query     33 failed      a request failed
//	 3 unsubscribe close it              34 opened      answers hello
//	 4 fetch       read rows once        35 rows        answers fetch and get, in parts
//	 5 get         read one entity       36 created     answers create: the ids
//	 6 create      entities, in a tx     37 committed   answers commit: the transaction
//	 7 edit        one entity, in a tx   38 delta       a live query changed, in parts
//	 8 mark        deleted or restored   39 status      of the node
//	 9 commit      a transaction         40 settled     a transaction was acknowledged or refused
//	10 rollback    a transaction         41 rejections  all refused transactions
//	11 cancel      a request
//	12 dismiss     a refused transaction, or all
//	13 token       present another
//	14 await       until there is a system
//	15 received    bytes, for flow control
//	16 network     whether the page has one; also before hello
//	17 aggregate   open a live aggregate 42 groups      a live aggregate changed, in parts
//	18 move        a live query's window 43 located     answers locate: a cursor
//	19 locate      the row of an index   44 explained   answers explain
//	20 explain     how a selection is read
//	21 select      other rows, in place
//	22 history     of an entity         45 revisions   answers history
//	23 as of       an entity as it was
//	24 retry       a refused transaction
//	30 attend      be in a room         50 members     who is in a room, in parts
//
// A row comes with how far it is in step: synced, pending or refused. A change of nothing but
// that, or of a row's place, comes without the row's values.
//
// A live query may have a window: up to so many rows before an anchor, and so many from it
// on. The anchor is a place in the order: the start, the end, a cursor (a row's place at
// one time, as text), or what is looked up once when the window is made: where an entity
// stands, or the row of an index. Whatever comes, goes or moves, the anchor stays. Deltas of
// such a query end with its state: how many of the rows stand before the anchor, whether
// there are more rows before the first and after the last (exactly, once the status is
// live), and the cursors of the first, of the last and of the anchor. A move keeps the rows
// that are shown before and after it; moving the anchor along with what is in view costs
// what comes into view.
//
// wasm/frame (Go) and js/src/wire.ts (TypeScript) are two halves of one thing: change both,
// and the golden files that both are tested against.

import type { Aggregation } from './aggregate.ts';
import { assert } from './assert.ts';
import { ClientError, type ErrorCode, type SelectionPosition } from './errors.ts';
import type { LiveStatus, Params } from './live.ts';
import { targetOf, type AnyModel } from './model.ts';
import { Reader, type Writer } from './msgpack.ts';
import { writeParams } from './params.ts';
import { formatOf, readSync, type Row, type RowReader } from './row.ts';
import { ulidText } from './ulid.ts';
import { writeValue } from './value.ts';

/** Opens every frame. */
export const version = 1;

/** Most entities of one create message. */
export const maxRows = 10_000;

/** A place in an order; see above. */
export type WindowAnchor =
  | 'start'
  | 'end'
  | { readonly cursor: string }
  | { readonly entity: string }
  | { readonly index: number };

/** Up to `before` rows before the anchor and `after` from it on, each at most 2 ** 20. */
export interface Window {
  readonly anchor: WindowAnchor;
  readonly before: number;
  readonly after: number;
}

/** What there is to know of a window besides its rows. */
export interface WindowState {
  /** How many of the rows stand before the anchor: the index of the first that does not. */
  readonly anchor: number;
  readonly hasBefore: boolean;
  readonly hasAfter: boolean;
  /** The cursors of the first row and of the last one; undefined without rows. */
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** The anchor's cursor; undefined at the start, at the end, and until it is known. */
  readonly position: string | undefined;
}

/** What opens the node. */
export interface Hello {
  readonly name: string;
  readonly url: string;
  readonly storage: 'indexeddb' | 'memory';
  readonly token: string | undefined;
  readonly models: readonly AnyModel[];
}

const storages = ['indexeddb', 'memory'] as const;
const statuses: readonly LiveStatus[] = ['loading', 'local', 'live', 'error'];
const connections = ['connecting', 'live', 'offline'] as const;

// What a page says.

/** What a message is made of: the first item of one is its kind. A function writes an item itself. */
type Item = number | string | boolean | undefined | ((w: Writer) => void) | readonly Item[];

function say(w: Writer, item: Item): void {
  if (typeof item === 'number') w.int(item);
  else if (typeof item === 'string') w.string(item);
  else if (typeof item === 'boolean') w.bool(item);
  else if (typeof item === 'function') item(w);
  else if (item === undefined) w.nil();
  else {
    w.array(item.length);
    for (const part of item) say(w, part);
  }
}

const id =
  (ulid: string): Item =>
  w =>
    w.ulid(ulid);

const bound =
  (params: Params | undefined): Item =>
  w =>
    writeParams(w, params);

const written =
  (bytes: Uint8Array): Item =>
  w =>
    w.raw(bytes);

export function writeHello(w: Writer, request: number, { name, url, storage, token, models }: Hello): void {
  say(w, [1, request, name, url || undefined, storages.indexOf(storage), token || undefined, models.map(described)]);
}

export function writeSubscribe(
  w: Writer,
  query: number,
  collection: string,
  text: string,
  params: Params | undefined,
  window?: Window,
): void {
  say(w, [2, query, collection, text, bound(params), placed(window)]);
}

export function writeUnsubscribe(w: Writer, query: number): void {
  say(w, [3, query]);
}

export function writeFetch(
  w: Writer,
  request: number,
  tx: number,
  collection: string,
  text: string,
  params: Params | undefined,
): void {
  say(w, [4, request, tx, collection, text, bound(params)]);
}

export function writeGet(w: Writer, request: number, tx: number, collection: string, entity: string): void {
  say(w, [5, request, tx, collection, id(entity)]);
}

/** Appends a creation of `count` entities, whose values `rows` holds as RowFormat wrote them. */
export function writeCreate(
  w: Writer,
  request: number,
  tx: number,
  model: AnyModel,
  count: number,
  rows: Uint8Array,
): void {
  const list = (out: Writer): void => {
    out.array(count);
    out.raw(rows);
  };
  say(w, [6, request, tx, model.collection, formatOf(model).names, list]);
}

/** Appends an edit, whose columns and values `fields` holds as RowFormat wrote them. */
export function writeEdit(w: Writer, tx: number, collection: string, entity: string, fields: Uint8Array): void {
  say(w, [7, tx, collection, id(entity), written(fields), () => {}]);
}

export function writeMark(w: Writer, tx: number, collection: string, entity: string, deleted: boolean): void {
  say(w, [8, tx, collection, id(entity), deleted]);
}

export function writeCommit(w: Writer, request: number, tx: number, replaces?: string): void {
  say(w, [9, request, tx, replaces && id(replaces)]);
}

export function writeRollback(w: Writer, tx: number): void {
  say(w, [10, tx]);
}

export function writeCancel(w: Writer, request: number): void {
  say(w, [11, request]);
}

export function writeToken(w: Writer, request: number, token: string | undefined): void {
  say(w, [13, request, token || undefined]);
}

export function writeAwait(w: Writer, request: number): void {
  say(w, [14, request]);
}

export function writeReceived(w: Writer, bytes: number): void {
  say(w, [15, bytes]);
}

export function writeNetwork(w: Writer, online: boolean): void {
  say(w, [16, online]);
}

export function writeAggregate(
  w: Writer,
  query: number,
  collection: string,
  text: string,
  params: Params | undefined,
  { groupBy, columns }: Pick<Aggregation, 'groupBy' | 'columns'>,
): void {
  const asked = columns.map(column => [column.function, column.path, column.distinct]);
  say(w, [17, query, collection, text, bound(params), groupBy, asked]);
}

/** Moves and resizes a live query's window in place; undefined takes it away. */
export function writeMove(w: Writer, query: number, window: Window | undefined): void {
  say(w, [18, query, placed(window)]);
}

/** Asks for the cursor of the row of number `index`, from 0, or of the last row. */
export function writeLocate(
  w: Writer,
  request: number,
  collection: string,
  text: string,
  params: Params | undefined,
  index: number,
): void {
  say(w, [19, request, collection, text, bound(params), index]);
}

/** Changes a live query's selection and window in place; deltas lead to the new rows. */
export function writeSelect(
  w: Writer,
  query: number,
  text: string,
  params: Params | undefined,
  window: Window | undefined,
): void {
  say(w, [21, query, text, bound(params), placed(window)]);
}

/** A window as [kind, cursor or entity or index or nil, before, after]. */
function placed(window: Window | undefined): Item {
  if (window === undefined) return undefined;
  const { anchor, before, after } = window;
  let place: readonly [kind: number, at: Item];
  if (typeof anchor === 'string') place = [anchor === 'start' ? 0 : 1, undefined];
  else if ('cursor' in anchor) place = [2, anchor.cursor];
  else if ('entity' in anchor) place = [3, id(anchor.entity)];
  else place = [4, anchor.index];
  return [...place, before, after];
}

/**
 * A model as [collection, [[name, type, kind, optional, default, target, [value…]]…],
 * [[unique, [[[step…], desc]…]]…]].
 */
function described({ collection, properties, indexes = [] }: AnyModel): Item {
  return [
    collection,
    Object.entries(properties).map(([name, { shape }]) => {
      const { type, kind, optional, fallback, values } = shape;
      const preset = (w: Writer): void => writeValue(w, shape, `default of ${collection}.${name}`, fallback);
      return [name, type, kind, optional, fallback === undefined ? undefined : preset, targetOf(shape), values];
    }),
    indexes.map(({ columns, unique }) => [
      unique,
      columns.map(column => {
        const path = column.replace(/ DESC$/, '');
        return [path.split('.'), path !== column];
      }),
    ]),
  ];
}

// What the node says.

/** What the node answers and tells. Rows and changes come with what knows their model. */
export interface Inbox {
  done(request: number): void;
  failed(request: number, error: ClientError): void;
  opened(request: number, storage: 'indexeddb' | 'memory', warning: ClientError | undefined): void;
  /** Returns the model of the rows that a request waits for, or undefined to skip them. */
  modelOf(request: number): AnyModel | undefined;
  rows(request: number, rows: readonly Row[], more: boolean): void;
  created(request: number, ids: readonly string[]): void;
  committed(request: number, transaction: string): void;
  /** Returns where a live query's changes go, or undefined to skip them. */
  query(query: number): DeltaTarget | undefined;
  status(status: NodeStatus): void;
  settled(transaction: string, error: ClientError | undefined): void;
  /** All refused transactions, so many, in what the reader holds (see inspection.ts). */
  rejections(count: number, fields: Reader): void;
  /** Without rows the cursor is undefined. */
  located(request: number, cursor: string | undefined, index: number): void;
  /** Who is in a room, by what the reader holds (see presence.ts). */
  members(fields: Reader): void;
  /** Answers explain and history, by what the reader holds (see inspection.ts). */
  inspected(request: number, fields: Reader): void;
}

/** The state of the node. */
export interface NodeStatus {
  readonly connection: 'connecting' | 'live' | 'offline';
  readonly pending: number;
  readonly ready: boolean;
  readonly error: ClientError | undefined;
}

/** A live query as the decoder sees it. */
export interface DeltaTarget {
  readonly model: AnyModel;
  /** Reads rows by the columns that came last; set by the decoder. */
  reader: RowReader | undefined;
  apply(delta: Delta): void;
  /** What is asked of groups, of one whose rows are groups. */
  readonly aggregation: Aggregation | undefined;
  applyGroups(delta: GroupsDelta): void;
}

/** One group, named by bytes that order the groups, as text. */
export interface Group {
  readonly id: string;
  /** Undefined when it is no more. */
  readonly row: Row | undefined;
}

/** One part of what happened to a live aggregate in one transaction. */
export interface GroupsDelta extends Omit<Delta, 'changes' | 'window'> {
  readonly groups: readonly Group[];
}

/** One part of what happened to a live query in one transaction. */
export interface Delta {
  /** Another part follows; they are shown together. */
  readonly more: boolean;
  readonly status: LiveStatus;
  readonly error: ClientError | undefined;
  /** The rows before are forgotten. */
  readonly reset: boolean;
  readonly changes: readonly Change[];
  /** With the last part, of a query with a window. */
  readonly window: WindowState | undefined;
}

/** One row's move: it is taken from `from`, unless that is -1, then put at `to`, unless -1. */
export interface Change {
  readonly from: number;
  readonly to: number;
  /** The row as it is now; undefined when it was removed. */
  readonly row: Row | undefined;
  /** The row says only how far it is in step: its values are as before. */
  readonly same?: boolean;
}

/** Reads a frame and hands its messages to `inbox` in order. Throws if it is malformed. */
export function readFrame(frame: Uint8Array, inbox: Inbox): void {
  const r = new Reader(frame);
  const got = r.byte();
  if (got !== version) {
    throw new ClientError('version', `worker speaks version ${got} of the frame protocol, not ${version}`);
  }
  while (r.more) {
    const fields = r.array();
    assert(fields > 0, 'message without a kind');
    readMessage(r, r.number(), fields - 1, inbox);
  }
}

function readMessage(r: Reader, kind: number, fields: number, inbox: Inbox): void {
  switch (kind) {
    case 32:
      return inbox.done(r.number());
    case 33:
      return inbox.failed(r.number(), readError(r) ?? new ClientError('internal', 'failed without a reason'));
    case 34:
      return inbox.opened(r.number(), storages[r.number()] ?? 'memory', readError(r));
    case 35:
      return readRows(r, inbox);
    case 36:
      return inbox.created(r.number(), readIds(r));
    case 37:
      return inbox.committed(r.number(), r.ulid());
    case 38:
      return readDelta(r, inbox);
    case 39:
      return inbox.status({
        connection: connections[r.number()] ?? 'offline',
        pending: r.number(),
        ready: r.bool(),
        error: readError(r),
      });
    case 40:
      return inbox.settled(r.ulid(), readError(r));
    case 41:
      fields = r.array();
      return inbox.rejections(fields, r.later(fields));
    case 42:
      return readGroups(r, inbox);
    case 50:
      return inbox.members(r.later(fields));
    case 43:
      return inbox.located(r.number(), readOptional(r), r.number());
    case 44:
    case 45:
      return inbox.inspected(r.number(), r.later(fields - 1));
  }
  for (let i = 0; i < fields; i++) r.skip();
}

export function readError(r: Reader): ClientError | undefined {
  if (r.nil()) return undefined;
  r.array();
  const code = r.string() as ErrorCode;
  const message = r.string();
  return new ClientError(code, message, { selection: readPosition(r) });
}

function readPosition(r: Reader): SelectionPosition | undefined {
  if (r.nil()) return undefined;
  r.array();
  return Object.freeze({ position: r.number(), line: r.number(), column: r.number(), hint: r.string() });
}

function readOptional(r: Reader): string | undefined {
  return r.nil() ? undefined : r.string();
}

function readNames(r: Reader): readonly string[] {
  return Array.from({ length: r.array() }, () => r.string());
}

function readIds(r: Reader): readonly string[] {
  const bytes = r.bytes();
  return Array.from({ length: bytes.length / 16 }, (_, i) => ulidText(bytes, 16 * i));
}

function readRows(r: Reader, inbox: Inbox): void {
  const request = r.number();
  const more = r.bool();
  const columns = readNames(r);
  const model = inbox.modelOf(request);
  const count = r.array();
  if (model === undefined) {
    for (let i = 0; i < count; i++) r.skip();
    return;
  }
  const reader = formatOf(model).reader(columns);
  const rows: Row[] = [];
  for (let i = 0; i < count; i++) {
    r.array();
    rows.push(reader.read(r, r.ulid()));
  }
  inbox.rows(request, rows, more);
}

function readDelta(r: Reader, inbox: Inbox): void {
  const target = inbox.query(r.number());
  const more = r.bool();
  const status = statuses[r.number()] ?? 'error';
  const error = readError(r);
  const reset = r.bool();
  if (!r.nil()) {
    const columns = readNames(r);
    if (target !== undefined) target.reader = formatOf(target.model).reader(columns);
  }
  const count = r.array();
  if (target === undefined) {
    for (let i = 0; i <= count; i++) r.skip();
    return;
  }
  const changes: Change[] = [];
  for (let i = 0; i < count; i++) changes.push(readChange(r, target.reader));
  target.apply({ more, status, error, reset, changes, window: readWindowState(r) });
}

function readGroups(r: Reader, inbox: Inbox): void {
  const target = inbox.query(r.number());
  const more = r.bool();
  const status = statuses[r.number()] ?? 'error';
  const error = readError(r);
  const reset = r.bool();
  const count = r.array();
  const aggregation = target?.aggregation;
  if (target === undefined || aggregation === undefined) {
    for (let i = 0; i < count; i++) r.skip();
    return;
  }
  const groups: Group[] = [];
  for (let i = 0; i < count; i++) {
    const values = r.array() - 1;
    const id = String.fromCharCode(...r.bytes());
    groups.push({ id, row: values === 0 ? undefined : aggregation.read(r, id) });
  }
  target.applyGroups({ more, status, error, reset, groups });
}

function readWindowState(r: Reader): WindowState | undefined {
  if (r.nil()) return undefined;
  r.array();
  return Object.freeze({
    anchor: r.number(),
    hasBefore: r.bool(),
    hasAfter: r.bool(),
    first: readOptional(r),
    last: readOptional(r),
    position: readOptional(r),
  });
}

function readChange(r: Reader, reader: RowReader | undefined): Change {
  const items = r.array();
  r.number(); // what happened, which the rest says as well
  const from = r.number();
  const to = r.number();
  const entity = r.ulid();
  if (items < 5) return { from, to, row: undefined };
  if (items === 5 && from >= 0) return { from, to, row: { id: entity, $sync: readSync(r) }, same: true };
  assert(reader !== undefined, 'rows without columns');
  return { from, to, row: reader.read(r, entity) };
}
