import { expect, test } from 'vitest';
import type { Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const stage = setStage();

/** Waits until a browser counts so many albums. */
async function counts(albums: Albums, want: number): Promise<void> {
  await until(`${want} albums are counted`, async () => (await albums.hook('count').textContent()) === String(want));
}

/** Every number that a browser shows as its count from here on. */
async function tape(albums: Albums): Promise<() => Promise<readonly string[]>> {
  await albums.page.evaluate(() => {
    const seen: string[] = [];
    (globalThis as { seen?: string[] }).seen = seen;
    const at = document.querySelector('[data-testid=count]');
    if (at === null) throw new Error('there is no count');
    new MutationObserver(() => seen.push(at.textContent ?? '')).observe(at, { childList: true, characterData: true, subtree: true });
  });
  return () => albums.page.evaluate(() => (globalThis as { seen?: string[] }).seen ?? []);
}

test('browsers count together, by their filters', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await counts(one, 0);
  await counts(two, 0);
  const seen = await tape(two);
  await one.add('OK Computer', 'Radiohead', 1997);
  await counts(one, 1);
  await one.add('Kid A', 'Radiohead', 2000);
  await one.add('Amnesiac', 'Radiohead', 2001);
  await counts(one, 3);
  await counts(two, 3);
  expect([...new Set(await seen())]).toEqual((await seen()).filter((n, i, all) => n !== all[i - 1])); // it never went back

  await two.years(2000, '');
  await counts(two, 2);
  await one.edit('OK Computer', { year: 2017 });
  await counts(two, 3);
  await one.remove('Kid A');
  await counts(two, 2);
  await counts(one, 2);
});

test('a browser without a server counts its own albums, and then everybody’s', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('A');
  await counts(two, 1);
  await two.page.context().setOffline(true);
  await two.status('offline');
  const seen = await tape(two);
  await two.add('B');
  await counts(two, 2);
  await one.add('C');
  await counts(one, 2);
  await two.page.context().setOffline(false);
  await two.status('live');
  await two.pending(0);
  await counts(two, 3);
  await counts(one, 3);
  expect((await seen()).map(Number)).toEqual([...(await seen())].map(Number).sort((a, b) => a - b)); // no album was lost, or counted twice
});
