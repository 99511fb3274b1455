import type { CallOptions } from './client.ts';
import type { AnyModel, EntityId, Infer } from './model.ts';
import type { Reader } from './msgpack.ts';
import { readValue } from './value.ts';

/** What an event is known by; ids sort by time. */
export type EventId = string;

/** A property before and after a change; null where it was not set. */
export interface ValueChange<T> {
  readonly before: T | null;
  readonly after: T | null;
}

/** One event of an entity's history: who did what, when, and on top of what. */
export interface Revision<M extends AnyModel = AnyModel> {
  readonly id: EventId;
  /** By the clock of the device that made it, corrected by its server's. */
  readonly time: Date;
  /** The node that made it. */
  readonly author: string;
  /** The principal on whose behalf; undefined when anonymous. */
  readonly user: string | undefined;
  /** The events that it was made on top of; several where it merged concurrent ones. */
  readonly parents: readonly EventId[];
  /** No durable node has it yet. */
  readonly pending: boolean;
  /** True where it deleted the entity, false where it restored it, else undefined. */
  readonly deleted: boolean | undefined;
  /** The properties that it wrote. */
  readonly changes: { readonly [K in Exclude<keyof Infer<M>, 'id'>]?: ValueChange<Infer<M>[K]> };
}

/** One page of a history, the latest event first. */
export interface HistoryPage<M extends AnyModel = AnyModel> {
  readonly revisions: readonly Revision<M>[];
  /** The `before` of the following page; undefined if there is none. */
  readonly next: EventId | undefined;
}

/** Which page of a history. */
export interface HistoryOptions extends CallOptions {
  /** Only events before this one. */
  readonly before?: EventId | undefined;
  /** At most so many; default and maximum 500. */
  readonly limit?: number;
}

/** A point in a history: a time, or after an event (or several) and all that it was made on top of. */
export type Moment = Date | EventId | readonly EventId[];

/** What a refused transaction would have done to one entity. */
export interface RejectedChange {
  readonly collection: string;
  readonly id: EntityId;
  readonly kind: 'create' | 'edit' | 'delete' | 'restore';
  /** What it would have written, of the properties that this client's models name. */
  readonly values: { readonly [property: string]: unknown };
}

/** The property under which an event marks its entity (proto.Deleted). */
export const mark = '$deleted';

/** Reads a value of a property; null where it is not set, undefined where the model does not know it. */
export function readOne(r: Reader, model: AnyModel | undefined, name: string): unknown {
  const shape = model?.properties[name]?.shape;
  if (r.nil()) return name === mark || shape !== undefined ? null : undefined;
  if (name === mark) return r.bool();
  if (shape !== undefined) return readValue(r, shape);
  r.skip();
  return undefined;
}

/** Reads what a refused transaction would have done. */
export function readRejectedChanges(r: Reader, modelNamed: (collection: string) => AnyModel | undefined): readonly RejectedChange[] {
  const changes = Array.from({ length: r.array() }, (): RejectedChange => {
    r.array();
    const collection = r.string();
    const id = r.ulid();
    let kind: RejectedChange['kind'] = r.bool() ? 'create' : 'edit';
    const model = modelNamed(collection);
    const values: { [property: string]: unknown } = {};
    for (let n = r.array(); n > 0; n--) {
      r.array();
      const name = r.string();
      const value = readOne(r, model, name);
      if (name === mark) kind = value === true ? 'delete' : 'restore';
      else if (value !== undefined) values[name] = value;
    }
    return Object.freeze({ collection, id, kind, values: Object.freeze(values) });
  });
  return Object.freeze(changes);
}
