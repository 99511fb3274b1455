import type { Params } from './live.ts';
import type { AnyModel } from './model.ts';
import { Writer } from './msgpack.ts';
import { writeParams } from './params.ts';
import { selectionOf, type Selection, type SelectionArguments } from './query.ts';

/**
 * Names a live query by its structure: equal keys mean that equal models ask for the same. White
 * space outside quotes and the order of named parameters make no difference.
 *
 * ```ts
 * import { defineModel, f, queryKey } from '@ankurah-go/client'
 *
 * const Album = defineModel('album', { year: f.int() })
 * queryKey(Album, 'year > ?', [1]) === queryKey(Album, ' year  >  ? ', [1])   // true
 * queryKey(Album, 'year > ?', [1]) === queryKey(Album.where(a => a.year.gt(1)))   // true
 * ```
 *
 * @throws {ClientError} `invalid` for a parameter that cannot be bound.
 */
export function queryKey(selection: Selection<AnyModel>): string;
export function queryKey(model: AnyModel, selection?: string, params?: Params): string;
export function queryKey(...args: SelectionArguments<AnyModel>): string {
  const [{ model, text, params }] = selectionOf(args);
  const w = new Writer();
  writeParams(w, params);
  let bound = '';
  for (const byte of w.peek()) bound += String.fromCharCode(byte);
  return `${model.collection}\n${normalise(text)}\n${bound}`;
}

/** Shortens white space to one blank, except inside quotes. */
function normalise(text: string): string {
  return text
    .replace(/'[^']*'|"[^"]*"|\s+/g, part => (part.trim() === '' ? ' ' : part))
    .trim();
}
