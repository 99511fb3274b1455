import { ClientError } from './errors.ts';
import { pathText } from './field.ts';
import type { Params } from './live.ts';
import type { AnyModel, EntityId, JsonValue, Presence, Property, PropertyShape } from './model.ts';
import type { Reader } from './msgpack.ts';
import type { Selection } from './query.ts';
import type { Row } from './row.ts';
import { queryKey } from './selection-key.ts';
import { readScalar, readValue } from './value.ts';

const functions = ['count', 'sum', 'min', 'max', 'avg'] as const;

/** What an aggregate makes of the values of a group. */
export type AggregateFunction = (typeof functions)[number];

/** One value about each group. Made by {@link count}, {@link sum} and the others. */
export interface Aggregate<F extends AggregateFunction = AggregateFunction, P extends string = string> {
  /** What is made of the values. */
  readonly function: F;
  /** Where they are; empty for the entities themselves. */
  readonly path: P;
  /** Whether equal values count once. */
  readonly distinct: boolean;
}

/** Counts entities or, with a path, those in which it does not lead to null. */
export function count(): Aggregate<'count', ''>;
export function count<const P extends string>(path: P): Aggregate<'count', P>;
export function count(path = ''): Aggregate<'count'> {
  return aggregate('count', path);
}

/** Counts the different values; null is none. */
export function countDistinct<const P extends string>(path: P): Aggregate<'count', P> {
  return aggregate('count', path, true);
}

/**
 * Adds up numbers, exactly and rounded once; null where there are none. A sum of `f.int()` beyond
 * the safe range is read rounded, as such a value is.
 */
export function sum<const P extends string>(path: P): Aggregate<'sum', P> {
  return aggregate('sum', path);
}

/** The mean of numbers; null where there are none. */
export function avg<const P extends string>(path: P): Aggregate<'avg', P> {
  return aggregate('avg', path);
}

/** The least value; null where there are none. */
export function min<const P extends string>(path: P): Aggregate<'min', P> {
  return aggregate('min', path);
}

/** The greatest value; null where there are none. */
export function max<const P extends string>(path: P): Aggregate<'max', P> {
  return aggregate('max', path);
}

function aggregate<F extends AggregateFunction, P extends string>(fn: F, path: P, distinct = false): Aggregate<F, P> {
  return Object.freeze({ function: fn, path, distinct });
}

type Properties<M extends AnyModel> = M['properties'];

type ValueOf<P> = P extends Property<infer T, Presence> ? NonNullable<T> : never;

type JsonNames<M extends AnyModel> = {
  [K in keyof Properties<M> & string]: Properties<M>[K] extends Property<unknown, Presence, infer To>
    ? [To] extends ['json']
      ? K
      : never
    : never;
}[keyof Properties<M> & string];

type NumberNames<M extends AnyModel> = {
  [K in keyof Properties<M> & string]: ValueOf<Properties<M>[K]> extends number | bigint ? K : never;
}[keyof Properties<M> & string];

/** What an aggregate can be made of: a property of the model itself, or a path into JSON. */
export type AggregatePath<M extends AnyModel> = (keyof Properties<M> & string) | `${JsonNames<M>}.${string}`;

/** What can be added up: numbers, and JSON, of which what is no number is passed over. */
export type NumberPath<M extends AnyModel> = NumberNames<M> | JsonNames<M> | `${JsonNames<M>}.${string}`;

/** The aggregates that a model takes. */
export type AggregateOf<M extends AnyModel> =
  | Aggregate<'count', '' | 'id' | AggregatePath<M>>
  | Aggregate<'sum' | 'avg', NumberPath<M>>
  | Aggregate<'min' | 'max', 'id' | AggregatePath<M>>;

/** Aggregates by the names that results call them by; `id` is taken. */
export interface AggregateSelect<M extends AnyModel> {
  readonly [name: string]: AggregateOf<M>;
}

/** What is asked of a model's entities. */
export interface AggregateQuery<
  M extends AnyModel,
  S extends AggregateSelect<M> = AggregateSelect<M>,
  G extends AggregatePath<M> = AggregatePath<M>,
> {
  /** Which entities count: AnkQL, or a query that was built. Its order is left out; it has no limit. Default all. */
  readonly where?: string | Pick<Selection<M>, 'text' | 'params'> | undefined;
  /** What is bound to `where`, if that is a text. */
  readonly params?: Params | undefined;
  /** What the entities of a group agree in. Without it there is one group, of all entities. */
  readonly groupBy?: readonly G[] | undefined;
  /** What is to be known of each group. */
  readonly select: S;
}

type PathValue<M extends AnyModel, P extends string> = P extends 'id'
  ? EntityId
  : P extends keyof Properties<M>
    ? ValueOf<Properties<M>[P]>
    : JsonValue;

type AggregateValue<M extends AnyModel, A> =
  A extends Aggregate<infer F, infer P>
    ? F extends 'count'
      ? number
      : F extends 'avg'
        ? number | null
        : F extends 'sum'
          ? (PathValue<M, P> extends bigint ? bigint : number) | null
          : PathValue<M, P> | null
    : never;

type Simplify<T> = { [K in keyof T]: T[K] } & {};

/** One group: what its entities agree in, and what is known of them. `id` names the group, as React's `key`, say. */
export type AggregateRow<M extends AnyModel, S, G extends string = never> = Simplify<
  { readonly id: string } & { readonly [K in G]: PathValue<M, K> | null } & {
    readonly [N in keyof S as N extends 'id' ? never : N]: AggregateValue<M, S[N]>;
  }
>;

/** What is asked, whatever the model. */
export interface AnyAggregateQuery {
  readonly where?: string | { readonly text: string; readonly params: Params } | undefined;
  readonly params?: Params | undefined;
  readonly groupBy?: readonly string[] | undefined;
  readonly select: { readonly [name: string]: Aggregate };
}

/** Returns which entities count. */
export function conditionOf({ where = '', params }: AnyAggregateQuery): {
  readonly text: string;
  readonly params: Params | undefined;
} {
  return typeof where === 'string' ? { text: where, params } : where;
}

/**
 * Names what is asked by its structure: equal keys mean that equal models ask for the same, by the
 * same names.
 *
 * @throws {ClientError} `schema` or `invalid` for what cannot be asked.
 */
export function aggregateKey(model: AnyModel, query: AnyAggregateQuery): string {
  const { text, params } = conditionOf(query);
  return `${queryKey(model, text, params)}\n${aggregationOf(model, query).key}`;
}

/** What is asked, as the node and the reader of its answers need it. */
export interface Aggregation {
  /** Names it among those with equal model and selection. */
  readonly key: string;
  readonly groupBy: readonly string[];
  readonly columns: readonly { readonly function: number; readonly path: string; readonly distinct: boolean }[];
  /** Reads the values of a group. */
  readonly read: (r: Reader, id: string) => Row;
}

/** How the count of {@link countOf} is called. */
export const counted = 'count';

/** Asks how many entities there are. */
export function countOf(model: AnyModel): Aggregation {
  return aggregationOf(model, { select: { [counted]: count() } });
}

/**
 * Takes apart what is asked.
 *
 * @throws {ClientError} `schema` for a property that the model does not have, `invalid` for a name that is taken.
 */
export function aggregationOf(
  model: AnyModel,
  { groupBy = [], select }: Pick<AnyAggregateQuery, 'groupBy' | 'select'>,
): Aggregation {
  const aggregates = Object.entries(select);
  const names = [...groupBy, ...aggregates.map(([name]) => name)];
  if (names.includes('id') || new Set(names).size < names.length) {
    throw new ClientError('invalid', `${names.join(', ')}: every column of a group has a name of its own, and id names the group`);
  }
  const readers = [
    ...groupBy.map(path => readerOf(model, path)),
    ...aggregates.map(([, { function: fn, path }]) => resultReader(model, fn, path)),
  ];
  const columns = aggregates.map(([, a]) => ({ function: functions.indexOf(a.function), path: quoted(a.path), distinct: a.distinct }));
  const paths = groupBy.map(quoted);
  return {
    key: JSON.stringify([names, paths, columns]),
    groupBy: paths,
    columns,
    read: (r, id) => {
      const row: { id: string; [name: string]: unknown } = { id };
      names.forEach((name, i) => (row[name] = readers[i]?.(r)));
      return Object.freeze(row);
    },
  };
}

function quoted(path: string): string {
  return path === '' ? '' : pathText(path.split('.'));
}

type ReadValue = (r: Reader) => unknown;

/** Returns what reads the values at a path. */
function readerOf(model: AnyModel, path: string): ReadValue {
  if (path === 'id') return orNull(r => r.ulid());
  const shape = shapeOf(model, path);
  return shape.type === 'json' ? orNull(readScalar) : orNull(r => readValue(r, shape));
}

function resultReader(model: AnyModel, fn: AggregateFunction, path: string): ReadValue {
  if (fn === 'min' || fn === 'max') return readerOf(model, path);
  if (path !== '' && path !== 'id') {
    const { big } = shapeOf(model, path);
    if (fn === 'sum' && big) return orNull(r => r.bigint());
  }
  return orNull(r => r.number());
}

function orNull(read: ReadValue): ReadValue {
  return r => (r.nil() ? null : read(r));
}

function shapeOf(model: AnyModel, path: string): PropertyShape {
  const [name = '', ...rest] = path.split('.');
  const property = Object.hasOwn(model.properties, name) ? model.properties[name] : undefined;
  if (property === undefined || (rest.length > 0 && property.shape.type !== 'json')) {
    throw new ClientError('schema', `${model.collection} has no property ${JSON.stringify(path)} of its own`);
  }
  return property.shape;
}
