import type { SetInput } from '@ankurah-go/client';

import type { Album } from './model.ts';
import type { AlbumFields } from './use-albums.ts';

/** The attributes of an input for a year. */
export const YEAR_INPUT = { type: 'number', inputMode: 'numeric', step: 1, min: 0, max: 9999 } as const;

/** Reads the album that a form's inputs `name`, `artist` and `year` describe; the browser has checked them. */
export function readAlbum(form: HTMLFormElement): AlbumFields {
  return { name: '', artist: '', year: 0, ...readFields(form) };
}

/** Reads the inputs that a form has of these. */
export function readFields(form: HTMLFormElement): Partial<AlbumFields> {
  const data = new FormData(form);
  const text = (name: string): string => String(data.get(name)).trim();
  return {
    ...(data.has('name') && { name: text('name') }),
    ...(data.has('artist') && { artist: text('artist') }),
    ...(data.has('year') && { year: Number(text('year')) }),
  };
}

/**
 * Returns the fields in which `after` differs from `before`: only what the user changed is written, so that
 * two people who edit different fields of one album both keep their edits.
 */
export function changedFields(before: Album, after: AlbumFields): SetInput<typeof Album> {
  return {
    ...(after.name !== before.name && { name: after.name }),
    ...(after.artist !== before.artist && { artist: after.artist }),
    ...(after.year !== before.year && { year: after.year }),
  };
}
