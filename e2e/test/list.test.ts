import { beforeEach, expect, test } from 'vitest';
import type { Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const stage = setStage();
let albums: Albums;

beforeEach(async () => {
  albums = await stage.browserAt((await stage.server()).url);
});

async function addThree(): Promise<void> {
  await albums.add('Dummy', 'Portishead', 1994);
  await albums.add('Loveless', 'My Bloody Valentine', 1991);
  await albums.add('Kid A', 'Radiohead', 2000);
}

test('the list is sorted as was chosen', async () => {
  await addThree();
  await albums.shows('Dummy', 'Kid A', 'Loveless');
  await albums.hook('sort').selectOption('year');
  await albums.shows('Loveless', 'Dummy', 'Kid A');
  await albums.hook('sort').selectOption('artist');
  await albums.shows('Loveless', 'Dummy', 'Kid A');
  await albums.edit('Dummy', { artist: 'Zortishead' });
  await albums.shows('Loveless', 'Kid A', 'Dummy');
});

test.each([
  ['an incomplete filter', 'year >', 'incomplete'],
  ['a filter with an order of its own', 'year > 1 ORDER BY name', 'ORDER BY'],
  ['an unknown property', 'yaer > 1990', 'year'],
  ['a value of another type', "year > 'soon'", 'year'],
  ['an open quote', "name = 'Kid", 'quote'],
])('%s is explained in place, and the last good result stays', async (_, filter, word) => {
  await addThree();
  await albums.filter('year < 2000');
  await albums.shows('Dummy', 'Loveless');
  await albums.filter(filter);
  await albums.hook('filter-error').waitFor();
  expect(await albums.hook('filter-error').textContent()).toMatch(word);
  expect(await albums.names()).toEqual(['Dummy', 'Loveless']);

  await albums.filter('year >= 2000');
  await albums.shows('Kid A');
  expect(await albums.hook('filter-error').count()).toBe(0);
});

test('filters with text, lists, ranges and patterns', async () => {
  await addThree();
  for (const [filter, ...names] of [
    ["artist = 'Radiohead'", 'Kid A'],
    ["artist IN ('Radiohead', 'Portishead')", 'Dummy', 'Kid A'],
    ['year BETWEEN 1991 AND 1994', 'Dummy', 'Loveless'],
    ["name LIKE '%e%'", 'Loveless'],
    ["NOT (year > 1995) AND name != 'Dummy'", 'Loveless'],
    ['', 'Dummy', 'Kid A', 'Loveless'],
  ] as const) {
    await albums.filter(filter);
    await albums.shows(...names);
  }
});

test('a long list comes in pages', async () => {
  const names = Array.from({ length: 53 }, (_, index) => `Album ${String(index).padStart(2, '0')}`);
  for (const name of names) await albums.add(name);
  await albums.shows(...names.slice(0, 50));
  expect(await albums.hook('count').textContent()).toBe('50');
  await albums.hook('more').click();
  await albums.shows(...names);
  expect(await albums.hook('count').textContent()).toBe('53');
  await until('there are no more', async () => (await albums.hook('more').count()) === 0);
});

test('everything can be done with the keyboard', async () => {
  await albums.hook('album-name').focus();
  const keys = albums.page.keyboard;
  await keys.type('Dummy');
  await keys.press('Tab');
  await keys.type('Portishead');
  await keys.press('Tab');
  await keys.type('1994');
  await keys.press('Enter');
  await albums.shows('Dummy');

  await albums.hook('row-edit').press('Enter');
  await keys.type(' (live)');
  await keys.press('Escape');
  expect(await albums.names()).toEqual(['Dummy']);
  await keys.press('Enter'); // the focus is where it was
  await keys.press('End');
  await keys.type(' (live)');
  await keys.press('Enter');
  await albums.shows('Dummy (live)');
  await keys.press('Tab');
  await keys.press('Enter');
  await albums.shows();
});

test('what is being typed into a row is not disturbed by changes from elsewhere', async () => {
  await addThree();
  const elsewhere = await stage.browserAt(albums.page.url());
  await elsewhere.shows('Dummy', 'Kid A', 'Loveless');
  const row = albums.page.locator(`[data-id="${await albums.row('Kid A').getAttribute('data-id')}"]`);
  await row.getByTestId('row-edit').click();
  await row.getByTestId('edit-name').fill('Kid A mnesia');
  await elsewhere.edit('Kid A', { year: 2021 });
  await elsewhere.add('Amnesiac', 'Radiohead', 2001);
  await albums.row('Amnesiac').waitFor();
  expect(await row.getByTestId('edit-name').inputValue()).toBe('Kid A mnesia');
  await row.getByTestId('row-save').click();
  await elsewhere.shows('Amnesiac', 'Dummy', 'Kid A mnesia', 'Loveless');
  expect(await elsewhere.shown()).toContainEqual(expect.objectContaining({ name: 'Kid A mnesia', year: '2021' }));
});
