import { expect, test } from 'vitest';

import { changedFields } from '../src/album-fields.ts';

const before = { id: 'id', $sync: 'synced', name: 'Drones', artist: 'Muse', year: 2015 } as const;

test('only what was changed is written', () => {
  expect(changedFields(before, { name: 'Drones', artist: 'Muse', year: 2016 })).toEqual({ year: 2016 });
  expect(changedFields(before, { name: 'Showbiz', artist: 'muse', year: 2015 })).toEqual({ name: 'Showbiz', artist: 'muse' });
});

test('nothing is written when nothing was changed', () => {
  expect(changedFields(before, { name: 'Drones', artist: 'Muse', year: 2015 })).toEqual({});
});
