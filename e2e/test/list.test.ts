import { beforeEach, expect, test } from 'vitest';
import type { Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';

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
  await albums.sort('year');
  await albums.shows('Loveless', 'Dummy', 'Kid A');
  await albums.sort('artist');
  await albums.shows('Loveless', 'Dummy', 'Kid A');
  await albums.edit('Dummy', { artist: 'Zortishead' });
  await albums.shows('Loveless', 'Kid A', 'Dummy');
  await albums.sort('artist');
  await albums.shows('Dummy', 'Kid A', 'Loveless');
});

test('the search finds part of a name or an artist, in any case, and takes signs as they are', async () => {
  await addThree();
  await albums.add('100% Dynamite', 'Various', 1998);
  for (const [words, ...names] of [
    ['head', 'Dummy', 'Kid A'],
    ['KID', 'Kid A'],
    ['0%', '100% Dynamite'],
    ['_', ''],
    ["'; --", ''],
    ['', '100% Dynamite', 'Dummy', 'Kid A', 'Loveless'],
  ] as const) {
    await albums.search(words);
    await albums.shows(...names.filter(name => name !== ''));
    await albums.counts(names.filter(name => name !== '').length);
  }
});

test('the list keeps to the years, and stays true', async () => {
  await addThree();
  await albums.years(1992, 1999);
  await albums.shows('Dummy');
  await albums.years('', 1994);
  await albums.shows('Dummy', 'Loveless');
  await albums.edit('Loveless', { year: 1995 });
  await albums.shows('Dummy');
  await albums.counts(1);
  await albums.years(1995, '');
  await albums.search('l');
  await albums.shows('Loveless');
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
  await keys.press('Tab'); // to its history
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
