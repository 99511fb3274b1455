import { expect, test } from 'vitest';
import { agree } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';

const stage = setStage();

test('what one browser adds, edits and deletes, another sees', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];

  await one.add('Origin of Symmetry', 'Muse', 2001);
  await two.shows('Origin of Symmetry');
  await two.add('Absolution', 'Muse', 2003);
  await one.shows('Absolution', 'Origin of Symmetry');

  await two.edit('Origin of Symmetry', { name: 'Showbiz', year: 1999 });
  await one.shows('Absolution', 'Showbiz');
  expect(await agree(one, two)).toMatchObject([
    { name: 'Absolution', artist: 'Muse', year: '2003' },
    { name: 'Showbiz', artist: 'Muse', year: '1999' },
  ]);

  await one.remove('Absolution');
  await two.shows('Showbiz');
  await one.pending(0);
  await two.pending(0);
});

test('albums enter and leave a filtered list as another browser edits them', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('OK Computer', 'Radiohead', 1997);
  await one.add('Kid A', 'Radiohead', 2000);
  await two.shows('Kid A', 'OK Computer');

  await two.years(2000, '');
  await two.shows('Kid A');
  await one.edit('OK Computer', { year: 2017 });
  await two.shows('Kid A', 'OK Computer');
  await one.edit('Kid A', { year: 1900 });
  await two.shows('OK Computer');
  await one.shows('Kid A', 'OK Computer');
});

test('two people who edit different fields of one album both keep their edits', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('Drones', 'Mouse', 2000);
  await two.shows('Drones');

  // Both open the editor before either saves.
  for (const albums of [one, two]) await albums.hook('row-edit').click();
  await one.hook('edit-artist').fill('Muse');
  await two.hook('edit-year').fill('2015');
  await one.hook('row-save').click();
  await two.hook('row-save').click();

  await one.row('Drones').waitFor();
  await two.row('Drones').waitFor();
  for (const albums of [one, two]) {
    await albums.hook('row-artist').getByText('Muse', { exact: true }).waitFor();
    await albums.hook('row-year').getByText('2015', { exact: true }).waitFor();
  }
});

test('a browser that comes later gets everything', async () => {
  const server = await stage.server();
  const one = await stage.browserAt(server.url);
  for (const name of ['A', 'B', 'C']) await one.add(name);
  await one.shows('A', 'B', 'C');
  await one.remove('B');
  await one.pending(0);
  const two = await stage.browserAt(server.url);
  await two.shows('A', 'C');
});
