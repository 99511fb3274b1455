import { Condition, type BoundParams } from './condition.ts';
import { ClientError } from './errors.ts';
import type { ParamValue } from './live.ts';
import type { AnyModel, EntityId, Presence, Property, SyncState } from './model.ts';

/** Under this key a field tells its path. */
export const fieldPath: unique symbol = Symbol('path');

/** What stands for a property, or for what lies behind one, in a condition or an order. */
export interface AnyField {
  /** The steps of the path. */
  readonly [fieldPath]: readonly string[];
}

/**
 * No value is of this type. It is named where null is given to a comparison: nothing equals NULL,
 * and nothing differs from it; ask with `isNull()` and `isNotNull()`.
 */
export interface NullIsAskedForWithIsNull {
  readonly [fieldPath]: never;
}

/** A field that holds values of type `V`, and what can be asked about it. */
export interface Field<V> extends AnyField {
  /** Equals `value`. Nothing equals NULL: use {@link Field.isNull}. */
  eq(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Holds something other than `value`; NULL is nothing, so it is not found. */
  ne(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is less than `value`. */
  lt(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is `value` or less. */
  le(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is `value` or less; another name of {@link Field.le}. */
  lte(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is greater than `value`. */
  gt(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is `value` or greater. */
  ge(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is `value` or greater; another name of {@link Field.ge}. */
  gte(value: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Is `low` or `high` or something between them. */
  between(low: V | Field<V> | NullIsAskedForWithIsNull, high: V | Field<V> | NullIsAskedForWithIsNull): Condition;
  /** Equals one of the values. */
  in(values: readonly V[]): Condition;
  /** Holds something other than all of the values. */
  notIn(values: readonly V[]): Condition;
  /** Holds NULL, or was never set. */
  isNull(): Condition;
  /** Holds something. */
  isNotNull(): Condition;
}

/** A field that holds text. */
export interface TextField<V> extends Field<V> {
  /**
   * Matches a pattern, in which `%` stands for any text, `_` for one character, and the escape
   * character takes the meaning from what follows it.
   *
   * @param escape - One character instead of the backslash, or empty for none.
   */
  like(pattern: string, escape?: string): Condition;
  /** {@link TextField.like} for which letters of either case are equal. */
  ilike(pattern: string, escape?: string): Condition;
}

/** Leads from a field by names that the types do not know. */
export interface OpenPath {
  /** What lies behind the field under `keys`: object keys in JSON, properties behind a reference. */
  path(...keys: readonly [string, ...string[]]): TextField<NonNullable<ParamValue>>;
}

/** A reference: it holds an id, and leads to the properties of the entity that it names. */
export type ReferenceField<M extends AnyModel> = Field<EntityId> & OpenPath & Steps<FieldsOf<M>>;

/** A JSON value of type `T`: it leads to what lies under its keys. */
export type JsonField<T> = OpenPath &
  ScalarField<Extract<T, JsonScalar>> &
  Steps<{ readonly [K in JsonKeys<Extract<T, object>>]: JsonField<JsonValueAt<T, K>> }>;

/** The fields of a model, for `where` and `orderBy`. */
export type Fields<M extends AnyModel> = { readonly id: Field<EntityId>; readonly $sync: TextField<SyncState> } & FieldsOf<M>;

type JsonScalar = string | number | boolean;

type FieldsOf<M extends AnyModel> = { readonly [K in keyof M['properties']]: FieldOf<M['properties'][K]> };

type FieldOf<P> = P extends Property<infer T, Presence, infer To> ? Leading<Exclude<T, null>, To> : never;

type Leading<T, To> = To extends 'json'
  ? JsonField<T>
  : To extends 'entity'
    ? Field<EntityId> & OpenPath
    : To extends AnyModel
      ? ReferenceField<To>
      : To extends (() => infer M extends AnyModel)
        ? ReferenceField<M>
        : ScalarField<T>;

type ScalarField<V> = [V] extends [never]
  ? Pick<Field<V>, 'isNull' | 'isNotNull' | typeof fieldPath>
  : [Extract<V, string>] extends [never]
    ? Field<V>
    : TextField<V>;

/** What lies behind a field, as far as its name is not that of a question; those are found by `path`. */
type Steps<F> = { readonly [K in keyof F as K extends keyof TextField<never> | 'path' ? never : K]: F[K] };

/** The keys of any of the objects in `T`; none for arrays and for objects of unknown keys. */
type JsonKeys<T> = T extends readonly unknown[] ? never : string extends keyof T ? never : keyof T & string;

type JsonValueAt<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;

/** The operators of fields, given the path that they are asked about. */
const operators: { readonly [name: string]: (path: readonly string[], ...operands: never[]) => Condition } = {
  eq: comparison('='),
  ne: comparison('!='),
  lt: comparison('<'),
  le: comparison('<='),
  lte: comparison('<='),
  gt: comparison('>'),
  ge: comparison('>='),
  gte: comparison('>='),
  between: (path, low: unknown, high: unknown) => testOf(path, ['BETWEEN ', low], [' AND ', high]),
  in: (path, values: readonly unknown[]) => membership(path, 'IN', values),
  notIn: (path, values: readonly unknown[]) => membership(path, 'NOT IN', values),
  isNull: path => testOf(path, ['IS NULL']),
  isNotNull: path => testOf(path, ['IS NOT NULL']),
  like: (path, pattern: string, escape?: string) => match(path, 'LIKE', pattern, escape),
  ilike: (path, pattern: string, escape?: string) => match(path, 'ILIKE', pattern, escape),
};

function comparison(operator: string): (path: readonly string[], value: unknown) => Condition {
  return (path, value) => testOf(path, [`${operator} `, value]);
}

/** Tests a path: each part is a word, and what it is given, if that is a part of two. */
function testOf(path: readonly string[], ...parts: readonly (readonly [word: string, operand?: unknown])[]): Condition {
  const params: BoundParams[number][] = [];
  let text = `${pathText(path)} `;
  for (const part of parts) {
    text += part[0];
    if (part.length === 2) text += operandText(path, part[1], params);
  }
  return new Condition(text, params);
}

/** Returns the text of an operand, and binds its value unless it is a field. */
function operandText(path: readonly string[], operand: unknown, params: BoundParams[number][]): string {
  checkIsThere(path, operand);
  if (isField(operand)) return pathText(operand[fieldPath]);
  params.push(operand as ParamValue);
  return '?';
}

function checkIsThere(path: readonly string[], operand: unknown): void {
  if (operand === null || operand === undefined) {
    throw new ClientError('invalid', `${path.join('.')} is compared with ${operand}: nothing equals NULL, ask isNull() or isNotNull()`);
  }
}

function membership(path: readonly string[], word: string, values: readonly unknown[]): Condition {
  for (const value of values) checkIsThere(path, value);
  return new Condition(`${pathText(path)} ${word} ?`, [Object.freeze([...values]) as readonly ParamValue[]]);
}

function match(path: readonly string[], word: string, pattern: string, escape: string | undefined): Condition {
  const suffix = escape === undefined ? '' : ` ESCAPE ${quoted(escape, "'")}`;
  return new Condition(`${pathText(path)} ${word} ?${suffix}`, [pattern]);
}

function isField(value: unknown): value is AnyField {
  return typeof value === 'object' && value !== null && (value as Partial<AnyField>)[fieldPath] !== undefined;
}

const words = /^(and|or|not|in|is|null|true|false|between|i?like|order|by|limit|asc|desc|nulls|first|last|escape)$/i;

/** Writes a path, with quotes around the steps that need them. */
export function pathText(path: readonly string[]): string {
  return path.map(step => (/^[\p{L}_$][\p{L}\p{Nd}_-]*$/u.test(step) && !words.test(step) ? step : quoted(step, '"'))).join('.');
}

function quoted(text: string, mark: string): string {
  return mark + text.replaceAll(mark, mark + mark) + mark;
}

/** Returns what stands for the entity at `path`, the empty one for the entity itself: it has fields. */
export function entityAt(path: readonly string[]): object {
  return new Proxy(empty, { get: (_, key) => (typeof key === 'string' ? fieldAt([...path, key]) : undefined) });
}

/** Returns the field at a path: it has the operators, and every other name leads on. */
function fieldAt(path: readonly string[]): AnyField {
  const get = (_: object, key: string | symbol): unknown => {
    if (key === fieldPath) return path;
    if (typeof key === 'symbol') return undefined;
    if (key === 'path') return (...keys: readonly string[]) => fieldAt([...path, ...keys]);
    const operator = Object.hasOwn(operators, key) && operators[key];
    return operator ? (...operands: never[]) => operator(path, ...operands) : fieldAt([...path, key]);
  };
  return new Proxy(empty, { get }) as AnyField;
}

const empty = Object.freeze({});
