import { ClientError } from './errors.ts';
import type { JsonValue, PropertyShape } from './model.ts';
import { Writer, type Reader } from './msgpack.ts';
import { ulidBytes } from './ulid.ts';

// Extension types of the formats (package core/value).
export const extId = 1;
const extJson = 2;

const maxJsonDepth = 64;
const micros = 1000;

/** Appends a property's value; throws a ClientError `schema` for what the property does not take. */
export function writeValue(w: Writer, shape: PropertyShape, name: string, value: unknown): void {
  if (value === null || value === undefined) {
    if (!shape.optional) throw wrongValue(shape, name, value);
    w.nil();
  } else if (!writeTyped(w, shape, value)) {
    throw wrongValue(shape, name, value);
  }
}

/** Appends a value that is not null, and says whether it is of the property's type. */
function writeTyped(w: Writer, shape: PropertyShape, value: unknown): boolean {
  switch (shape.type) {
    case 'string':
      if (typeof value !== 'string') return false;
      w.string(value);
      return true;
    case 'enum':
      if (typeof value !== 'string' || !shape.values.includes(value)) return false;
      w.string(value);
      return true;
    case 'int':
      return writeInt(w, value);
    case 'float':
      if (typeof value !== 'number' || !Number.isFinite(value)) return false;
      w.float(value);
      return true;
    case 'bool':
      if (typeof value !== 'boolean') return false;
      w.bool(value);
      return true;
    case 'bytes':
      if (!(value instanceof Uint8Array)) return false;
      w.bytes(value);
      return true;
    case 'time':
      if (!(value instanceof Date) || Number.isNaN(value.getTime())) return false;
      writeTime(w, value);
      return true;
    case 'ref':
      if (typeof value !== 'string') return false;
      writeId(w, value);
      return true;
    case 'json':
      writeJson(w, value);
      return true;
  }
}

function writeInt(w: Writer, value: unknown): boolean {
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) {
    w.bigint(value);
    return true;
  }
  if (!Number.isSafeInteger(value)) return false;
  w.int(Number(value));
  return true;
}

/** Appends a moment as microseconds, which leave the safe range in the year 2255. */
export function writeTime(w: Writer, value: Date): void {
  const time = value.getTime() * micros;
  if (Number.isSafeInteger(time)) w.int(time);
  else w.bigint(BigInt(value.getTime()) * BigInt(micros));
}

const idScratch = new Uint8Array(16);

/** Appends a reference. */
export function writeId(w: Writer, id: string): void {
  ulidBytes(id, idScratch, 0);
  w.ext(extId, idScratch);
}

function wrongValue(shape: PropertyShape, name: string, value: unknown): ClientError {
  const takes = shape.type === 'enum' ? `one of ${shape.values.join(', ')}` : shape.big ? 'bigint' : shape.type;
  return new ClientError('schema', `${name} takes ${takes}, not ${describe(value)}`);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return typeof value === 'object' ? Object.prototype.toString.call(value) : `${typeof value} ${String(value)}`;
}

const jsonWriter = new Writer();

/** Appends a JSON document. */
export function writeJson(w: Writer, value: unknown): void {
  jsonWriter.truncate(0);
  writeJsonItem(jsonWriter, value, 0);
  w.ext(extJson, jsonWriter.peek());
}

/** Appends what is in one. */
export function writeJsonItem(w: Writer, value: unknown, depth: number): void {
  if (depth > maxJsonDepth) {
    throw new ClientError('schema', `JSON nested deeper than ${maxJsonDepth}`);
  }
  switch (typeof value) {
    case 'boolean':
      return w.bool(value);
    case 'string':
      return w.string(value);
    case 'number':
      if (!Number.isFinite(value)) throw new ClientError('schema', `${value} is not a JSON number`);
      return Number.isSafeInteger(value) ? w.int(value) : w.float(value);
    case 'object':
      if (value === null) return w.nil();
      if (Array.isArray(value)) {
        w.array(value.length);
        for (const item of value as readonly unknown[]) writeJsonItem(w, item ?? null, depth + 1);
        return;
      }
      return writeJsonObject(w, value, depth);
  }
  throw new ClientError('schema', `a ${typeof value} is not JSON`);
}

function writeJsonObject(w: Writer, value: object, depth: number): void {
  // As JSON.stringify has it: undefined is as good as absent, dates and the like become text.
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return writeJsonItem(w, (value.toJSON as () => unknown)(), depth + 1);
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  w.map(entries.length);
  for (const [key, item] of entries) {
    w.string(key);
    writeJsonItem(w, item, depth + 1);
  }
}

/** Reads a property's value; a missing one reads as the property's default or zero value. */
export function readValue(r: Reader, shape: PropertyShape): unknown {
  if (r.nil()) return absent(shape);
  switch (shape.type) {
    case 'string':
    case 'enum':
      return r.string();
    case 'int':
      return shape.big ? r.bigint() : r.number();
    case 'float':
      return r.number();
    case 'bool':
      return r.bool();
    case 'bytes':
      return r.bytes();
    case 'time':
      return new Date(Math.floor(r.number() / micros));
    case 'ref':
      return r.ulid();
    case 'json':
      r.ext();
      return readJsonItem(r);
  }
}

/**
 * What stands for a value that an entity does not have: null where the property is optional. A
 * property that came later than the entity reads as its default, or its type's zero value, so that
 * the row's type holds.
 */
export function absent(shape: PropertyShape): unknown {
  if (shape.optional) return null;
  if (shape.fallback !== undefined) return shape.fallback;
  switch (shape.type) {
    case 'string':
    case 'ref':
      return '';
    case 'enum':
      return shape.values[0];
    case 'int':
      return shape.big ? 0n : 0;
    case 'float':
      return 0;
    case 'bool':
      return false;
    case 'bytes':
      return new Uint8Array();
    case 'time':
      return new Date(0);
    case 'json':
      return null;
  }
}

/** Reads what is somewhere inside JSON: a scalar as it is, a list or an object as an extension. */
export function readScalar(r: Reader): JsonValue {
  const { code } = r;
  if ((code >= 0xc7 && code <= 0xc9) || (code >= 0xd4 && code <= 0xd8)) r.ext();
  return readJsonItem(r);
}

function readJsonItem(r: Reader): JsonValue {
  const code = r.code;
  if (r.nil()) return null;
  if (code === 0xc2 || code === 0xc3) return r.bool();
  if ((code & 0xe0) === 0xa0 || (code >= 0xd9 && code <= 0xdb)) return r.string();
  if ((code & 0xf0) === 0x90 || code === 0xdc || code === 0xdd) {
    const list: JsonValue[] = [];
    for (let n = r.array(); n > 0; n--) list.push(readJsonItem(r));
    return Object.freeze(list);
  }
  if ((code & 0xf0) === 0x80 || code === 0xde || code === 0xdf) {
    const object: { [key: string]: JsonValue } = {};
    for (let n = r.map(); n > 0; n--) setOwn(object, r.string(), readJsonItem(r));
    return Object.freeze(object);
  }
  return r.number();
}

/** Sets a property without running into the one that JavaScript gives a meaning. */
export function setOwn<T>(object: { [key: string]: T }, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}

/** Whether two values of one property are the same to whoever reads them. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    key => Object.hasOwn(b, key) && sameValue((a as Fields)[key], (b as Fields)[key]),
  );
}

interface Fields {
  readonly [key: string]: unknown;
}
