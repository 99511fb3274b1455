import { expect, test } from 'vitest';
import { Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const stage = setStage();

/** Waits until a page shows so many others. */
const others = (albums: Albums, count: number): Promise<unknown> =>
  until(`${count} others are here`, async () => (await albums.hook('visitors').getAttribute('data-count')) === String(count));

/** Notes every number of others that a page shows from now on. */
async function note(albums: Albums): Promise<() => Promise<number[]>> {
  await albums.hook('visitors').evaluate(element => {
    const seen = new Set([element.getAttribute('data-count')]);
    new MutationObserver(() => seen.add(element.getAttribute('data-count'))).observe(element, { attributes: true });
    (globalThis as { seen?: Set<string | null> }).seen = seen;
  });
  return async () => {
    const seen = await albums.page.evaluate(() => [...((globalThis as { seen?: Set<string | null> }).seen ?? [])]);
    return seen.map(Number);
  };
}

test('tabs and browsers see each other, and what each is editing; one that closes is gone', async () => {
  const server = await stage.server();
  const context = await stage.context();
  const [one, two] = [await Albums.openLive(context, server.url), await Albums.openLive(context, server.url)];
  const elsewhere = await stage.browserAt(server.url);
  for (const albums of [one, two, elsewhere]) await others(albums, 2);

  await one.add('Showbiz', 'Muse', 1999);
  await elsewhere.shows('Showbiz');
  await one.row('Showbiz').getByTestId('row-edit').click();
  await elsewhere.hook('row-editor').waitFor();
  await one.page.getByTestId('row-save').click();
  await elsewhere.hook('row-editor').waitFor({ state: 'detached' });

  await two.page.close();
  for (const albums of [one, elsewhere]) await others(albums, 1);
});

test('who loads the page anew, or loses the server for a moment, does not leave', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await others(one, 1);
  await others(two, 1);
  const seen = await note(one);
  await two.page.reload();
  await two.status('live');
  await others(two, 1);
  await server.kill();
  await one.status('offline');
  await server.start();
  for (const albums of [one, two]) {
    await albums.status('live');
    await others(albums, 1);
  }
  expect(await seen()).toEqual([1]);
});
