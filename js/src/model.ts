import type { OptionalCondition } from './condition.ts';
import { ClientError } from './errors.ts';
import type { Fields } from './field.ts';
import { queryOf, type OrderKey, type Ordering, type Query } from './query.ts';

/** What an entity is known by: 26 characters that sort by the time of its creation. */
export type EntityId = string;

/** What a JSON property holds. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The types of properties, by the names that they have on the wire. */
export type PropertyType =
  | 'bool'
  | 'int'
  | 'float'
  | 'string'
  | 'bytes'
  | 'time'
  | 'ref'
  | 'enum'
  | 'json';

/** How concurrent changes to a property combine. */
export type PropertyKind = 'lww' | 'text';

/** Whether a property must be given to `create`. */
export type Presence = 'required' | 'omittable';

/** A property's description as data. */
export interface PropertyShape {
  readonly type: PropertyType;
  readonly kind: PropertyKind;
  readonly optional: boolean;
  /** Integers are read as bigint. */
  readonly big: boolean;
  /** For references, the collection referred to, or what returns its model; empty for any. */
  readonly target: string | (() => AnyModel);
  /** For enums, the allowed texts. */
  readonly values: readonly string[];
  /** What a create takes that leaves the property out; undefined for none. */
  readonly fallback: unknown;
}

/**
 * One property of a model: what its values are (`T`), whether a create may leave it out, and where
 * paths lead that go on behind it (`To`): a model, or a function that returns one, for references;
 * `'entity'` for references to any entity; `'json'`; nowhere else. Made by {@link f}; immutable, every
 * method returns a new one.
 */
export class Property<T, P extends Presence, To = unknown> {
  /** Never set; it carries the types. */
  declare readonly types: { readonly value: T; readonly presence: P; readonly to: To };
  /** The description as data. */
  readonly shape: PropertyShape;

  constructor(shape: PropertyShape) {
    this.shape = shape;
  }

  /** Allows null, which is also what a create stores that leaves the property out. */
  optional(): Property<T | null, 'omittable', To> {
    return new Property({ ...this.shape, optional: true });
  }

  /** Names the value that a create stores when it leaves the property out. */
  default(value: NonNullable<T>): Property<T, 'omittable', To> {
    return new Property({ ...this.shape, fallback: value });
  }
}

/** Any property, for signatures. */
export type AnyProperty = Property<unknown, Presence>;

/** The properties of a model by name. `id` is taken: every row shows its own. */
export interface Properties {
  readonly [name: string]: AnyProperty;
}

/** Any model, for signatures. */
export interface AnyModel {
  /** The collection's name, the same on every node. */
  readonly collection: string;
  /** The properties by name. */
  readonly properties: Properties;
  /** The indexes that are kept from the start. */
  readonly indexes?: readonly ModelIndex[];
}

/** An index as a model has it. */
export interface ModelIndex {
  readonly columns: readonly string[];
  readonly unique: boolean;
}

/** A column of an index: a property, or keys inside JSON, greatest first with ` DESC`. */
export type IndexColumn<P extends Properties> = IndexPath<P> | `${IndexPath<P>} DESC`;

type IndexPath<P> = {
  [K in keyof P & string]: P[K] extends Property<unknown, Presence, 'json'> ? K | `${K}.${string}` : K;
}[keyof P & string];

/** What a model may say besides its properties. */
export interface ModelOptions<P extends Properties> {
  /**
   * Indexes to keep from the start, most significant column first; nodes make others by themselves
   * when a query has needed them. They change what queries cost, never what they answer. `unique`
   * says that the values are expected to be those of one entity, which helps to choose between
   * indexes; nothing enforces it.
   */
  readonly indexes?: readonly (readonly IndexColumn<P>[] | { readonly unique: readonly IndexColumn<P>[] })[];
}

/**
 * The typed shape of the entities of one collection. Made by {@link defineModel}. Its methods begin
 * a {@link Query}.
 */
export interface Model<P extends Properties = Properties> extends AnyModel {
  readonly properties: P;
  /** Asks for every entity. */
  all(): Query<Model<P>>;
  /** Asks for what the condition is true of; see {@link Query.where}. */
  where(condition: (entity: Fields<Model<P>>) => OptionalCondition): Query<Model<P>>;
  /** Asks for every entity, in an order; see {@link Query.orderBy}. */
  orderBy(key: OrderKey<Model<P>>, ordering?: Ordering): Query<Model<P>>;
  /** Asks for the first entities; see {@link Query.limit}. */
  limit(count: number): Query<Model<P>>;
}

/**
 * A path as text: a property, or one step behind a reference, as `'artist.name'`, or keys inside
 * JSON, as `'meta.genre'`.
 */
export type PropertyPath<M extends AnyModel> = 'id' | PathsOf<M['properties']>;

type PathsOf<P> = { [K in keyof P & string]: K | Behind<K, P[K]> }[keyof P & string];

type Behind<K extends string, P> =
  P extends Property<unknown, Presence, infer To>
    ? To extends 'json' | 'entity'
      ? `${K}.${string}`
      : To extends AnyModel
        ? `${K}.${keyof To['properties'] & string}`
        : To extends (() => infer M extends AnyModel)
          ? `${K}.${keyof M['properties'] & string}`
          : never
    : never;

type Simplify<T> = { [K in keyof T]: T[K] } & {};

/** What a property holds. */
export type ValueOf<P> = P extends Property<infer T, Presence> ? T : never;

type OmittableKeys<P> = {
  [K in keyof P]: P[K] extends Property<unknown, 'omittable'> ? K : never;
}[keyof P];

/**
 * A row of a model, as queries show it: plain, frozen, with the entity's `id`, and in `$sync` how far
 * it is in step with the server.
 *
 * ```ts
 * import { defineModel, f, type Infer } from '@ankurah-go/client'
 *
 * const Album = defineModel('album', { name: f.text(), year: f.int().optional() })
 * type Album = Infer<typeof Album>
 * // { readonly id: string; readonly $sync: SyncState; readonly name: string; readonly year: number | null }
 * ```
 */
export type Infer<M extends AnyModel> = Simplify<
  { readonly id: EntityId; readonly $sync: SyncState } & { readonly [K in keyof M['properties']]: ValueOf<M['properties'][K]> }
>;

/**
 * How far a row is in step with the durable node. `pending`: it shows changes of this device that
 * the server has not acknowledged. `refused`: the server refused changes to it, which are kept in
 * {@link Client.rejections} until they are tried again, replaced or dismissed; the row is without
 * them. `synced`: neither.
 */
export type SyncState = 'pending' | 'synced' | 'refused';

/** What `create` takes: optional properties and those with a default may be left out. */
export type CreateInput<M extends AnyModel> = Simplify<
  {
    readonly [K in Exclude<keyof M['properties'], OmittableKeys<M['properties']>>]: ValueOf<M['properties'][K]>;
  } & {
    readonly [K in OmittableKeys<M['properties']>]?: ValueOf<M['properties'][K]> | undefined;
  }
>;

/** What `set` takes: any of the properties; undefined leaves one as it is. */
export type SetInput<M extends AnyModel> = Simplify<{
  readonly [K in keyof M['properties']]?: ValueOf<M['properties'][K]> | undefined;
}>;

/**
 * Describes the entities of one collection.
 *
 * ```ts
 * import { defineModel, f } from '@ankurah-go/client'
 *
 * const Artist = defineModel('artist', { name: f.string() })
 * const Album = defineModel('album', {
 *   name: f.text(),
 *   artist: f.ref(Artist),
 *   year: f.int().optional(),
 *   format: f.enum('cd', 'vinyl').default('cd'),
 * }, { indexes: [['artist', 'year DESC'], { unique: ['name'] }] })
 * ```
 *
 * @throws {ClientError} `schema` for a name that no collection or property may have.
 */
export function defineModel<const P extends Properties>(
  collection: string,
  properties: P & { readonly id?: never },
  options: ModelOptions<P> = {},
): Model<P> {
  checkName('collection', collection);
  for (const name of Object.keys(properties)) {
    checkName('property', name);
    if (name === 'id') {
      throw new ClientError('schema', `${collection}: property name "id" is taken by the entity's own id`);
    }
  }
  const model: Model<P> = {
    collection,
    properties: Object.freeze({ ...properties }),
    indexes: (options.indexes ?? []).map(index =>
      'unique' in index ? { columns: index.unique, unique: true } : { columns: index, unique: false },
    ),
    all: () => queryOf(model),
    where: condition => queryOf(model).where(condition),
    orderBy: (key, ordering) => queryOf(model).orderBy(key, ordering),
    limit: count => queryOf(model).limit(count),
  };
  return Object.freeze(model);
}

/** Returns the collection that a reference refers to; empty for any. */
export function targetOf({ target }: PropertyShape): string {
  return typeof target === 'string' ? target : target().collection;
}

/** The rule of Go's schema.ValidateName, and no `__proto__`, which JavaScript gives a meaning. */
function checkName(what: string, name: string): void {
  const bytes = new TextEncoder().encode(name).length;
  if (!/^[\p{L}_][\p{L}\p{Nd}_-]*$/u.test(name) || bytes > 128 || name === '__proto__') {
    throw new ClientError(
      'schema',
      `${what} name ${JSON.stringify(name)}: letters, digits, _ and -, a letter or _ first, at most 128 bytes`,
    );
  }
}

function property<T, To = unknown>(type: PropertyType, more?: Partial<PropertyShape>): Property<T, 'required', To> {
  return new Property({
    type,
    kind: 'lww',
    optional: false,
    big: false,
    target: '',
    values: [],
    fallback: undefined,
    ...more,
  });
}

/** The kinds of properties that a model is made of. */
export interface PropertyBuilders {
  /** Text that people edit together. */
  text(): Property<string, 'required'>;
  /** Text that is written as a whole. */
  string(): Property<string, 'required'>;
  /**
   * A whole number within JavaScript's safe range. A greater one that another client wrote is read
   * rounded; declare {@link PropertyBuilders.bigint} where such values occur.
   */
  int(): Property<number, 'required'>;
  /** A whole number of 64 bits. */
  bigint(): Property<bigint, 'required'>;
  /** A number, neither NaN nor infinite. */
  float(): Property<number, 'required'>;
  /** True or false. */
  bool(): Property<boolean, 'required'>;
  /** A byte string. */
  bytes(): Property<Uint8Array, 'required'>;
  /** A moment, to the millisecond. */
  time(): Property<Date, 'required'>;
  /** The id of an entity of any collection. */
  id(): Property<EntityId, 'required', 'entity'>;
  /** The id of an entity of the given model. */
  ref<M extends AnyModel>(target: M): Property<EntityId, 'required', M>;
  /** The id of an entity of the collection that is called so. */
  ref(target: string): Property<EntityId, 'required', 'entity'>;
  /**
   * The id of an entity of a model that is defined later, because the two refer to each other. Its
   * type is written down, since TypeScript does not infer it in a circle:
   * `f.ref((): typeof Album => Album)`.
   */
  ref<To extends () => void>(target: To): Property<EntityId, 'required', To>;
  /** One of the given texts. */
  enum<const V extends readonly [string, ...string[]]>(...values: V): Property<V[number], 'required'>;
  /** A JSON document; `T` is what the application expects in it, and is not checked. */
  json<T = JsonValue>(): Property<T, 'required', 'json'>;
}

/**
 * Builders of properties, for {@link defineModel}.
 *
 * ```ts
 * import { defineModel, f } from '@ankurah-go/client'
 *
 * const Track = defineModel('track', {
 *   title: f.text(),
 *   seconds: f.int().default(0),
 *   plays: f.bigint(),
 *   released: f.time().optional(),
 *   meta: f.json<{ genre?: string }>(),
 * })
 * ```
 */
export const f: PropertyBuilders = {
  text: () => property('string', { kind: 'text' }),
  string: () => property('string'),
  int: () => property('int'),
  bigint: () => property('int', { big: true }),
  float: () => property('float'),
  bool: () => property('bool'),
  bytes: () => property('bytes'),
  time: () => property('time'),
  id: () => property('ref'),
  ref: <To>(target: string | AnyModel | (() => void)): Property<EntityId, 'required', To> =>
    property('ref', { target: typeof target === 'object' ? target.collection : (target as string | (() => AnyModel)) }),
  enum: (...values) => property('enum', { values }),
  json: () => property('json'),
};
