import type { CallOptions } from './client.ts';
import type { AnyModel, EntityId, ValueOf } from './model.ts';

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
  readonly changes: { readonly [K in keyof M['properties']]?: ValueChange<ValueOf<M['properties'][K]>> };
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
