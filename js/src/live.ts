import type { ClientError } from './errors.ts';
import type { AnyModel } from './model.ts';
import type { Selection } from './query.ts';

/**
 * How much a live result is worth: `loading` has nothing yet, `local` is answered from what this
 * device holds, `live` is confirmed by the durable node, `error` says why it cannot be answered.
 */
export type LiveStatus = 'loading' | 'local' | 'live' | 'error';

/**
 * What a live result is at one moment. It is frozen, a new object only when something in it
 * changed, and rows that did not change keep their identity from one snapshot to the next. With
 * status `error`, `data` is what was last known.
 */
export type LiveSnapshot<T> =
  | { readonly data: T; readonly status: 'loading' | 'local' | 'live'; readonly error: undefined }
  | { readonly data: T; readonly status: 'error'; readonly error: ClientError };

/** Something that changes and can be read at any moment: what every live result of a client is. */
export interface Live<T> {
  /** The present data: shorthand for `getSnapshot().data`. */
  readonly data: T;
  /** The present status: shorthand for `getSnapshot().status`. */
  readonly status: LiveStatus;
  /** Why the status is `error`, else undefined. */
  readonly error: ClientError | undefined;
  /** Returns the present snapshot; the same object until something changes. Bound to its result. */
  readonly getSnapshot: () => LiveSnapshot<T>;
  /**
   * Calls `listener` after every change, once per transaction, and not at once. Returns what ends
   * it. Bound to its result.
   */
  readonly subscribe: (listener: () => void) => () => void;
  /**
   * Ends this result; its last snapshot can still be read. The live query behind it is closed 10 ms
   * after nobody uses it any more. Disposing twice is harmless.
   */
  dispose(): void;
}

/** A selection of rows that stays true. */
export interface LiveResult<R> extends Live<readonly R[]> {
  /**
   * Replaces the selection. The rows shown stay until the new selection has its first answer, so
   * that a list does not flicker while a filter is typed. A built one is of the result's own model.
   */
  setSelection(selection: Selection<AnyModel>): void;
  setSelection(selection: string, params?: Params): void;
}

/** One entity that stays true; `data` is undefined while unknown, and when there is none. */
export type LiveEntity<R> = Live<R | undefined>;

/** A value that can be bound to a selection. */
export type ParamValue = null | boolean | number | bigint | string | Date | Uint8Array;

/**
 * What is bound to a selection: an array for `?`, by position; an object for `:name`. A list binds
 * to `IN`.
 */
export type Params =
  | readonly (ParamValue | readonly ParamValue[])[]
  | { readonly [name: string]: ParamValue | readonly ParamValue[] };
