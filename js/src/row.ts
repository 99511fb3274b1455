import { ClientError } from './errors.ts';
import type { AnyModel, PropertyShape, SyncState } from './model.ts';
import type { Reader, Writer } from './msgpack.ts';
import { absent, readValue, sameValue, writeValue } from './value.ts';

/** A row of any model, as this package handles it; the public signatures give it its type. */
export interface Row {
  readonly id: string;
  /** Not of groups. */
  readonly $sync?: SyncState;
  readonly [property: string]: unknown;
}

/** A property of a model under its name. */
interface Column {
  readonly name: string;
  readonly shape: PropertyShape;
}

/** Turns rows of one model into bytes and back. */
export class RowFormat {
  readonly #model: AnyModel;
  readonly #columns: readonly Column[];
  /** The names of all properties, in the model's order: the columns of a creation. */
  readonly names: readonly string[];

  constructor(model: AnyModel) {
    this.#model = model;
    this.#columns = Object.entries(model.properties).map(([name, { shape }]) => ({ name, shape }));
    this.names = this.#columns.map(column => column.name);
  }

  /** Appends the values of a creation, one for each of `names`; what is left out is filled in. */
  writeCreation(w: Writer, values: { readonly [name: string]: unknown }): void {
    this.#checkNames(values);
    w.array(this.#columns.length);
    for (const { name, shape } of this.#columns) {
      writeValue(w, shape, `${this.#model.collection}.${name}`, orDefault(shape, values[name]));
    }
  }

  /** Appends the columns and values of an edit, and says how many there are. */
  writeEdit(w: Writer, values: { readonly [name: string]: unknown }): number {
    this.#checkNames(values);
    const given = this.#columns.filter(column => values[column.name] !== undefined);
    w.array(given.length);
    for (const { name } of given) w.string(name);
    w.array(given.length);
    for (const { name, shape } of given) {
      writeValue(w, shape, `${this.#model.collection}.${name}`, values[name]);
    }
    return given.length;
  }

  /** The row that a creation with these values shows. */
  created(id: string, values: { readonly [name: string]: unknown }): Row {
    const row: { id: string; $sync: SyncState; [name: string]: unknown } = { id, $sync: 'pending' };
    for (const { name, shape } of this.#columns) {
      row[name] = orDefault(shape, values[name]) ?? null;
    }
    return Object.freeze(row);
  }

  /** Returns a reader of rows whose values come in the order of `columns`. */
  reader(columns: readonly string[]): RowReader {
    const known = new Map(this.#columns.map(column => [column.name, column]));
    const given = columns.map(name => known.get(name));
    const missing = this.#columns.filter(column => !columns.includes(column.name));
    return new RowReader(given, missing);
  }

  #checkNames(values: { readonly [name: string]: unknown }): void {
    for (const name of Object.keys(values)) {
      if (!Object.hasOwn(this.#model.properties, name)) {
        throw new ClientError('schema', `${this.#model.collection} has no property ${JSON.stringify(name)}`);
      }
    }
  }
}

/** What a creation stores for a value that may have been left out; undefined for nothing. */
function orDefault(shape: PropertyShape, given: unknown): unknown {
  return given === undefined ? shape.fallback : given;
}

/** Reads rows whose columns are known. */
export class RowReader {
  readonly #given: readonly (Column | undefined)[];
  readonly #missing: readonly Column[];

  constructor(given: readonly (Column | undefined)[], missing: readonly Column[]) {
    this.#given = given;
    this.#missing = missing;
  }

  /** Reads how far a row is in step, and its values. */
  read(r: Reader, id: string): Row {
    const row: { id: string; $sync: SyncState; [name: string]: unknown } = { id, $sync: readSync(r) };
    for (const column of this.#given) {
      if (column === undefined) r.skip();
      else row[column.name] = readValue(r, column.shape);
    }
    for (const { name, shape } of this.#missing) row[name] = absent(shape);
    return Object.freeze(row);
  }
}

const syncStates = ['synced', 'pending', 'refused'] as const;

/** Reads how far a row is in step. */
export function readSync(r: Reader): SyncState {
  return syncStates[r.number()] ?? 'synced';
}

const formats = new WeakMap<AnyModel, RowFormat>();

/** Returns the format of a model's rows. */
export function formatOf(model: AnyModel): RowFormat {
  let format = formats.get(model);
  if (format === undefined) formats.set(model, (format = new RowFormat(model)));
  return format;
}

/** Whether two rows of one model read the same. */
export function sameRow(a: Row, b: Row): boolean {
  for (const key in a) {
    if (!sameValue(a[key], b[key])) return false;
  }
  return true;
}
