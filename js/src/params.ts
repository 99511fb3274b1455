import { ClientError } from './errors.ts';
import type { ParamValue, Params } from './live.ts';
import type { Writer } from './msgpack.ts';
import { writeTime } from './value.ts';

/** Appends parameters: nil, an array by position, or a map by name in ascending order. */
export function writeParams(w: Writer, params: Params | undefined): void {
  if (params === undefined) {
    w.nil();
  } else if (isList(params)) {
    if (params.length === 0) return w.nil();
    w.array(params.length);
    for (const param of params) writeParam(w, param);
  } else {
    const names = Object.keys(params).filter(name => params[name] !== undefined).sort(byUtf8);
    if (names.length === 0) return w.nil();
    w.map(names.length);
    for (const name of names) {
      w.string(name);
      writeParam(w, params[name] ?? null);
    }
  }
}

/** Array.isArray, for lists that nobody may change. */
function isList<T>(value: unknown): value is readonly T[] {
  return Array.isArray(value);
}

/** Orders as Go does; it differs from JavaScript's order where surrogates are involved. */
function byUtf8(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const order = (x[i]?.codePointAt(0) ?? 0) - (y[i]?.codePointAt(0) ?? 0);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

function writeParam(w: Writer, param: ParamValue | readonly ParamValue[]): void {
  if (!isList<ParamValue>(param)) return writeParamValue(w, param);
  w.array(param.length);
  for (const item of param) writeParamValue(w, item);
}

function writeParamValue(w: Writer, value: ParamValue): void {
  switch (typeof value) {
    case 'string':
      return w.string(value);
    case 'boolean':
      return w.bool(value);
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) return w.bigint(value);
      break;
    case 'number':
      if (Number.isSafeInteger(value)) return w.int(value);
      if (Number.isFinite(value)) return w.float(value);
      break;
    case 'object':
      if (value === null) return w.nil();
      if (value instanceof Uint8Array) return w.bytes(value);
      if (value instanceof Date && !Number.isNaN(value.getTime())) return writeTime(w, value);
  }
  throw new ClientError('invalid', `${String(value)} cannot be bound to a selection`);
}
