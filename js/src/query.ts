import { and, everything, type BoundParams, type Condition, type OptionalCondition } from './condition.ts';
import { ClientError } from './errors.ts';
import { entityAt, fieldPath, pathText, type AnyField, type Fields } from './field.ts';
import type { Params } from './live.ts';
import type { AnyModel, PropertyPath } from './model.ts';

/**
 * What every function that asks for rows takes: a model, AnkQL, and what is bound to it. The
 * queries that {@link Model.where} begins are of this form.
 */
export interface Selection<M extends AnyModel> {
  /** Whose entities are wanted. */
  readonly model: M;
  /** Predicate, order and limit in AnkQL. */
  readonly text: string;
  /** What is bound to the text. */
  readonly params: Params;
}

/** How one key of an order runs: a direction, or one with the place of NULL. */
export type Ordering =
  | 'asc'
  | 'desc'
  | {
      /** Default `asc`. */
      readonly direction?: 'asc' | 'desc';
      /** Where NULL comes; by default last ascending, first descending. */
      readonly nulls?: 'first' | 'last';
    };

/** The key of an order: a property's name, a path as `'artist.name'`, or a function that returns a field. */
export type OrderKey<M extends AnyModel> = PropertyPath<M> | ((entity: Fields<M>) => AnyField);

/**
 * A selection that code put together: the same as one written in AnkQL, with names and types
 * checked by the compiler, and values that never become part of the text. It is immutable; every
 * method returns another one. Whatever takes a selection takes it:
 *
 * ```ts
 * import { createClient, defineModel, f } from '@ankurah-go/client'
 *
 * const Artist = defineModel('artist', { name: f.string() })
 * const Album = defineModel('album', { name: f.text(), artist: f.ref(Artist), year: f.int().optional() })
 * const client = createClient({ name: 'my-app', models: [Album, Artist] })
 *
 * const recent = Album.where(a => a.year.gt(1985)).orderBy('name').limit(50)
 * const albums = client.query(recent)
 * const muse = await client.fetch(
 *   recent.where(a => a.artist.name.eq('Muse').or(a.year.isNull())).orderBy('year', { direction: 'desc', nulls: 'last' }),
 * )
 * ```
 */
export class Query<M extends AnyModel> implements Selection<M> {
  readonly model: M;
  readonly text: string;
  readonly params: BoundParams;
  readonly #where: Condition;
  readonly #order: readonly string[];
  readonly #limit: number | undefined;

  /** @internal */
  constructor(model: M, where: Condition, order: readonly string[], limit: number | undefined) {
    this.model = model;
    this.#where = where;
    this.#order = order;
    this.#limit = limit;
    this.text = [
      where !== everything && where.text,
      order.length > 0 && `ORDER BY ${order.join(', ')}`,
      limit !== undefined && `LIMIT ${limit}`,
    ]
      .filter(Boolean)
      .join(' ');
    this.params = where.params;
    Object.freeze(this);
  }

  /** Narrows the query to what the condition is true of, too. A condition that is null, say, changes nothing. */
  where(condition: (entity: Fields<M>) => OptionalCondition): Query<M> {
    const more = condition(entityAt([]) as Fields<M>);
    return new Query(this.model, and(this.#where !== everything && this.#where, more), this.#order, this.#limit);
  }

  /** Adds a key to the order, less significant than those so far. */
  orderBy(key: OrderKey<M>, ordering: Ordering = 'asc'): Query<M> {
    const path = typeof key === 'function' ? key(entityAt([]) as Fields<M>)[fieldPath] : (key as string).split('.');
    const { direction = 'asc', nulls } = typeof ordering === 'string' ? { direction: ordering } : ordering;
    const suffix = `${direction === 'desc' ? ' DESC' : ''}${nulls === undefined ? '' : nulls === 'first' ? ' NULLS FIRST' : ' NULLS LAST'}`;
    return new Query(this.model, this.#where, [...this.#order, pathText(path) + suffix], this.#limit);
  }

  /**
   * Takes the first `count` rows, instead of the limit before.
   *
   * @throws {ClientError} `invalid` for what is not a whole number from 0.
   */
  limit(count: number): Query<M> {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new ClientError('invalid', `a limit is a whole number from 0, not ${count}`);
    }
    return new Query(this.model, this.#where, this.#order, count);
  }
}

type Parts<M extends AnyModel, Options> = readonly [
  model: M,
  text?: string | undefined,
  params?: Params | undefined,
  options?: Options | undefined,
];

/** How a selection is given to a function: as one, or as its parts; what else the function takes comes last. */
export type SelectionArguments<M extends AnyModel, Options = undefined> =
  | readonly [selection: Selection<M>, options?: Options | undefined]
  | Parts<M, Options>;

/** Returns what arguments of either form say. */
export function selectionOf<M extends AnyModel, Options>(
  args: SelectionArguments<M, Options>,
): readonly [selection: { readonly model: M; readonly text: string; readonly params: Params | undefined }, options: Options | undefined] {
  const [of, second] = args;
  if ('text' in of) return [of, second as Options | undefined];
  const [model, text = '', params, options] = args as Parts<M, Options>;
  return [{ model, text, params }, options];
}

/** Begins a query for every entity of a model. */
export function queryOf<M extends AnyModel>(model: M): Query<M> {
  return new Query(model, everything, [], undefined);
}
