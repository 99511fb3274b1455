import { and, or, type Query } from '@ankurah-go/client';

import { Album } from './model.ts';

/** What the user looks for. */
export interface AlbumFilter {
  /** Part of a name or an artist; empty for any. */
  readonly words: string;
  /** The first and the last year; undefined for any. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

export const NO_FILTER: AlbumFilter = { words: '', from: undefined, to: undefined };

/** What the list can be sorted by; the rest of each order makes it readable among equals. */
export const ORDERS = {
  name: ['name', 'artist'],
  artist: ['artist', 'year', 'name'],
  year: ['year', 'name'],
} as const;

export type SortKey = keyof typeof ORDERS;

/** An order as the user chose it. */
export interface AlbumSort {
  readonly key: SortKey;
  readonly direction: 'asc' | 'desc';
}

/** Returns the albums that a filter lets through, in order. */
export function albumQuery({ words, from, to }: AlbumFilter, { key, direction }: AlbumSort): Query<typeof Album> {
  const part = `%${words.replaceAll(/[\\%_]/g, '\\$&')}%`;
  const found = Album.where(album =>
    and(
      words && or(album.name.ilike(part), album.artist.ilike(part)),
      from !== undefined && album.year.ge(from),
      to !== undefined && album.year.le(to),
    ),
  );
  const [first, ...rest] = ORDERS[key];
  return rest.reduce((query, next) => query.orderBy(next), found.orderBy(first, direction));
}
