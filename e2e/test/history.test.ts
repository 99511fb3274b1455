import { expect, test } from 'vitest';
import { agree } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const stage = setStage();

test('an album has a history, and what it was can be put back, for everybody', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('Black Holes', 'Muse', 2005);
  await two.shows('Black Holes');
  await two.edit('Black Holes', { name: 'Black Holes and Revelations', year: 2006 });
  await one.shows('Black Holes and Revelations');
  await one.edit('Black Holes and Revelations', { name: 'Oops' });
  await two.shows('Oops');
  await one.pending(0);

  await two.row('Oops').getByTestId('row-history').click();
  const revisions = two.hook('revision');
  await until('three revisions', async () => (await revisions.count()) === 3);
  const texts = await revisions.allTextContents();
  expect(texts[0]).toMatch('name Black Holes and Revelations → Oops');
  expect(texts[1]).toMatch('name Black Holes → Black Holes and Revelations, year 2005 → 2006');
  expect(texts[2]).toMatch('Added: artist Muse, name Black Holes, year 2005');

  await revisions.nth(1).getByTestId('put-back').click();
  await one.shows('Black Holes and Revelations');
  expect(await agree(one, two)).toMatchObject([{ name: 'Black Holes and Revelations', year: '2006' }]);
  expect(await two.hook('history').count()).toBe(0);
});

test('without a server the history says why there is none', async () => {
  const server = await stage.server();
  const albums = await stage.browserAt(server.url);
  await albums.add('Showbiz', 'Muse', 1999);
  await albums.pending(0);
  await server.kill();
  await albums.status('offline');
  await albums.row('Showbiz').getByTestId('row-history').click();
  await albums.hook('history').getByRole('alert').waitFor();
});

test('a refused change can be tried again', async () => {
  const server = await stage.policyServer();
  const albums = await stage.browserAt(server.url);
  await albums.add('forbidden');
  await albums.hook('retry').click();
  await until('it was refused again', async () => (await albums.hook('rejection').count()) === 1 && (await albums.names()).length === 0);
  await albums.pending(0);
});
