import { describe, expect, test } from 'vitest';

import { albumQuery, NO_FILTER, ORDERS, type SortKey } from '../src/album-query.ts';

const byName = { key: 'name', direction: 'asc' } as const;

describe('albumQuery', () => {
  test('of no filter asks for everything', () => {
    expect(albumQuery(NO_FILTER, byName)).toMatchObject({ text: 'ORDER BY name, artist', params: [] });
  });

  test('looks for words in names and artists, as they are', () => {
    const { text, params } = albumQuery({ ...NO_FILTER, words: "100%_o'\\" }, byName);
    expect(text).toBe('name ILIKE ? OR artist ILIKE ? ORDER BY name, artist');
    expect(params).toEqual(["%100\\%\\_o'\\\\%", "%100\\%\\_o'\\\\%"]);
  });

  test('keeps to the years', () => {
    const { text, params } = albumQuery({ words: 'a', from: 0, to: 1999 }, { key: 'year', direction: 'desc' });
    expect(text).toBe('(name ILIKE ? OR artist ILIKE ?) AND year >= ? AND year <= ? ORDER BY year DESC, name');
    expect(params).toEqual(['%a%', '%a%', 0, 1999]);
  });

  test.each(Object.keys(ORDERS) as SortKey[])('sorts by %s first', key => {
    expect(albumQuery(NO_FILTER, { key, direction: 'asc' }).text).toMatch(new RegExp(`^ORDER BY ${key}\\b`));
  });
});
