import { ClientError } from '@ankurah-go/client';
import { describe, expect, test } from 'vitest';

import { albumSelection, filterProblem, ORDERS, type SortKey } from '../src/selection.ts';

function selectionError(position: number | undefined, hint = ''): ClientError {
  const selection = position === undefined ? undefined : { position, line: 1, column: position + 1, hint };
  return new ClientError('selection', 'expected a value', { selection });
}

describe('albumSelection', () => {
  test('puts the filter first, so that its offsets are those of the selection', () => {
    expect(albumSelection('year > 1999', 'artist', 51)).toBe('year > 1999 ORDER BY artist, year, name LIMIT 51');
  });

  test.each(Object.keys(ORDERS) as SortKey[])('sorts by %s first', key => {
    expect(albumSelection('', key, 1)).toMatch(new RegExp(`^ ORDER BY ${key}\\b`));
  });
});

describe('filterProblem', () => {
  test('splits the filter at the place to blame', () => {
    expect(filterProblem(selectionError(7, 'did you mean "artist"?'), 'year = artits')).toEqual({
      message: 'expected a value',
      hint: 'did you mean "artist"?',
      before: 'year = ',
      after: 'artits',
    });
  });

  test.each([6, 7, 30])('an error behind the filter, at %i, is that the filter ends too early', position => {
    const problem = filterProblem(selectionError(position), 'year >');
    expect(problem).toMatchObject({ before: 'year >', after: '' });
    expect(problem?.message).toMatch('incomplete');
  });

  test('an error without a place is shown with the whole filter', () => {
    expect(filterProblem(selectionError(undefined), 'year')).toMatchObject({ message: 'expected a value', before: 'year' });
  });

  test('other errors are not about the filter', () => {
    expect(filterProblem(new ClientError('storage', 'the disk is full'), 'year > 1')).toBeUndefined();
  });
});
