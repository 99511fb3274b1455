// What few pages ask, and none at first: histories, how selections are read, and what was refused. It
// is loaded when it is needed; therefore it imports nothing but types from the modules that are there already.

import type { Rejection } from './client.ts';
import type { ErrorCode } from './errors.ts';
import type { Explanation } from './explanation.ts';
import type { HistoryOptions, HistoryPage, Moment, RejectedChange, Revision, ValueChange } from './history.ts';
import type { Params } from './live.ts';
import type { AnyModel, EntityId, PropertyShape } from './model.ts';
import type { Reader, Writer } from './msgpack.ts';

/** Appends what is bound to a selection, as `writeParams` of params.ts does. */
type WriteParams = (w: Writer, params: Params | undefined) => void;

/** Reads a value that a property holds, as `readValue` of value.ts does. */
type ReadValue = (r: Reader, shape: PropertyShape) => unknown;

/** The property under which an event marks its entity (proto.Deleted). */
const mark = '$deleted';

export function writeHistory(w: Writer, request: number, collection: string, id: EntityId, options: HistoryOptions): void {
  w.array(6);
  w.int(22);
  w.int(request);
  w.string(collection);
  w.ulid(id);
  if (options.before === undefined) w.nil();
  else w.ulid(options.before);
  w.int(options.limit ?? 0);
}

export function writeAsOf(w: Writer, request: number, collection: string, id: EntityId, moment: Moment): void {
  w.array(6);
  w.int(23);
  w.int(request);
  w.string(collection);
  w.ulid(id);
  const events = moment instanceof Date ? [] : typeof moment === 'string' ? [moment] : moment;
  w.array(events.length);
  for (const event of events) w.ulid(event);
  w.int(moment instanceof Date ? moment.getTime() : 0);
}

/** Reads the fields of a Revisions message after the request. */
export function readHistory(r: Reader, model: AnyModel, readValue: ReadValue): HistoryPage {
  const revisions = Array.from({ length: r.array() }, () => readRevision(r, model, readValue));
  return Object.freeze({ revisions: Object.freeze(revisions), next: r.nil() ? undefined : r.ulid() });
}

function readRevision(r: Reader, model: AnyModel, readValue: ReadValue): Revision {
  r.array();
  const id = r.ulid();
  const time = new Date(r.number());
  const author = r.ulid();
  const user = r.nil() ? undefined : r.string();
  const parents = Object.freeze(Array.from({ length: r.array() }, () => r.ulid()));
  const pending = r.bool();
  let deleted: boolean | undefined;
  const changes: { [property: string]: ValueChange<unknown> } = {};
  for (let n = r.array(); n > 0; n--) {
    r.array();
    const name = r.string();
    const before = readOne(r, model, name, readValue);
    const after = readOne(r, model, name, readValue);
    if (name === mark) deleted = after === true;
    else if (after !== undefined) changes[name] = Object.freeze({ before, after });
  }
  return Object.freeze({ id, time, author, user, parents, pending, deleted, changes: Object.freeze(changes) });
}

/** Reads a value of a property; null where it is not set, undefined where the model does not know it. */
function readOne(r: Reader, model: AnyModel | undefined, name: string, readValue: ReadValue): unknown {
  const shape = model?.properties[name]?.shape;
  if (r.nil()) return name === mark || shape !== undefined ? null : undefined;
  if (name === mark) return r.bool();
  if (shape !== undefined) return readValue(r, shape);
  r.skip();
  return undefined;
}

/** Reads so many items of a Rejections message. */
export function readRejections(r: Reader, length: number, models: readonly AnyModel[], readValue: ReadValue): readonly Rejection[] {
  return Object.freeze(Array.from({ length }, (): Rejection => {
    r.array();
    return Object.freeze({
      transaction: r.ulid(),
      code: r.string() as ErrorCode,
      message: r.string(),
      time: new Date(r.number()),
      changes: Object.freeze(Array.from({ length: r.array() }, () => readRejectedChange(r, models, readValue))),
    });
  }));
}

function readRejectedChange(r: Reader, models: readonly AnyModel[], readValue: ReadValue): RejectedChange {
  r.array();
  const collection = r.string();
  const id = r.ulid();
  let kind: RejectedChange['kind'] = r.bool() ? 'create' : 'edit';
  const model = models.find(known => known.collection === collection);
  const values: { [property: string]: unknown } = {};
  for (let n = r.array(); n > 0; n--) {
    r.array();
    const name = r.string();
    const value = readOne(r, model, name, readValue);
    if (name === mark) kind = value === true ? 'delete' : 'restore';
    else if (value !== undefined) values[name] = value;
  }
  return Object.freeze({ collection, id, kind, values: Object.freeze(values) });
}

/** Asks to forget a refused transaction, or all of them. */
export function writeDismiss(w: Writer, request: number, transaction: string | undefined): void {
  w.array(3);
  w.int(12);
  w.int(request);
  if (transaction === undefined) w.nil();
  else w.ulid(transaction);
}

/** Asks to make a refused transaction again. */
export function writeRetry(w: Writer, request: number, transaction: string): void {
  w.array(3);
  w.int(24);
  w.int(request);
  w.ulid(transaction);
}

export function writeExplain(
  w: Writer,
  request: number,
  collection: string,
  text: string,
  params: Params | undefined,
  writeParams: WriteParams,
): void {
  w.array(5);
  w.int(20);
  w.int(request);
  w.string(collection);
  w.string(text);
  writeParams(w, params);
}

/** Reads the fields of an Explained message after the request. */
export function readExplanation(r: Reader): Explanation {
  return Object.freeze({
    plan: r.string(),
    method: r.string() as Explanation['method'],
    index: r.nil() ? undefined : r.string(),
    ranges: r.number(),
    sorted: r.bool(),
    residual: r.nil() ? undefined : r.string(),
    entries: r.number(),
    rows: r.number(),
    returned: r.number(),
    more: r.bool(),
    milliseconds: r.number() / 1000,
  });
}
