import type { Params } from './live.ts';
import type { AnyModel } from './model.ts';
import { Writer } from './msgpack.ts';
import { writeParams } from './params.ts';

/**
 * Names a live query by its structure: equal keys mean that equal models ask for the same. White
 * space outside quotes and the order of named parameters make no difference.
 *
 * ```ts
 * import { defineModel, f, queryKey } from '@ankurah-go/client'
 *
 * const Album = defineModel('album', { year: f.int() })
 * queryKey(Album, 'year > :y', { y: 1 }) === queryKey(Album, ' year  >  :y ', { y: 1 })   // true
 * ```
 *
 * @throws {ClientError} `invalid` for a parameter that cannot be bound.
 */
export function queryKey(model: AnyModel, selection: string = '', params?: Params): string {
  const w = new Writer();
  writeParams(w, params);
  let bound = '';
  for (const byte of w.peek()) bound += String.fromCharCode(byte);
  return `${model.collection}\n${normalise(selection)}\n${bound}`;
}

/** Shortens white space to one blank, except inside quotes. */
function normalise(text: string): string {
  return text
    .replace(/'[^']*'|"[^"]*"|\s+/g, part => (part.trim() === '' ? ' ' : part))
    .trim();
}
