// What few pages ask, and none at first: histories, and how selections are read. It is loaded when it
// is needed; therefore it imports nothing but types from the modules that are there already.

import type { Explanation } from './explanation.ts';
import type { HistoryOptions, HistoryPage, Moment, Revision, ValueChange } from './history.ts';
import type { Params } from './live.ts';
import type { AnyModel, EntityId } from './model.ts';
import type { Reader, Writer } from './msgpack.ts';

/** Appends what is bound to a selection, as `writeParams` of params.ts does. */
type WriteParams = (w: Writer, params: Params | undefined) => void;

/** Reads the value of the property of a name, as `readOne` of history.ts does. */
type ReadNamed = (r: Reader, model: AnyModel, name: string) => unknown;

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
export function readHistory(r: Reader, model: AnyModel, readOne: ReadNamed): HistoryPage {
  const revisions = Array.from({ length: r.array() }, () => readRevision(r, model, readOne));
  return Object.freeze({ revisions: Object.freeze(revisions), next: r.nil() ? undefined : r.ulid() });
}

function readRevision(r: Reader, model: AnyModel, readOne: ReadNamed): Revision {
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
    const before = readOne(r, model, name);
    const after = readOne(r, model, name);
    if (name === '$deleted') deleted = after === true;
    else if (after !== undefined) changes[name] = Object.freeze({ before, after });
  }
  return Object.freeze({ id, time, author, user, parents, pending, deleted, changes: Object.freeze(changes) });
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
