import { expect, test } from 'vitest';
import type { Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';

const ROUNDS = 200;

const stage = setStage();

/** Makes a page note, in `window.seen`, when a year is shown for the first time. */
async function noteYears(albums: Albums): Promise<void> {
  await albums.page.evaluate(() => {
    const seen = new Map<string, number>();
    Object.assign(window, { seen });
    new MutationObserver(() => {
      const now = performance.timeOrigin + performance.now();
      for (const element of document.querySelectorAll('[data-testid=row-year]')) {
        const year = element.textContent ?? '';
        if (!seen.has(year)) seen.set(year, now);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

/** Edits the only album as a user does, and returns the moment of the commit. */
function commitYear(albums: Albums, year: number): Promise<number> {
  return albums.page.evaluate(async newYear => {
    const find = <E extends HTMLElement>(hook: string): E => document.querySelector<E>(`[data-testid=${hook}]`)!;
    find('row-edit').click();
    await new Promise(resolve => setTimeout(resolve));
    const input = find<HTMLInputElement>('edit-year');
    input.value = String(newYear);
    const commit = performance.timeOrigin + performance.now();
    input.form!.requestSubmit();
    return commit;
  }, year);
}

function whenSeen(albums: Albums, year: number): Promise<number> {
  return albums.page
    .waitForFunction(text => (window as unknown as { seen: Map<string, number> }).seen.get(text), String(year))
    .then(handle => handle.jsonValue() as Promise<number>);
}

function percentile(sorted: readonly number[], share: number): string {
  return `${(sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(2)} ms`;
}

test(`commit in one browser to DOM change in another, ${ROUNDS} times`, async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('Measured', 'Muse', 1);
  await two.shows('Measured');
  await Promise.all([noteYears(one), noteYears(two)]);

  const here: number[] = [];
  const there: number[] = [];
  for (let year = 1001; year <= 1000 + ROUNDS; year++) {
    const commit = await commitYear(one, year);
    here.push((await whenSeen(one, year)) - commit);
    there.push((await whenSeen(two, year)) - commit);
  }
  for (const [name, times] of [
    ['the same page', here],
    ['another browser', there],
  ] as const) {
    const sorted = times.toSorted((a, b) => a - b);
    console.log(`commit to DOM, ${name}: median ${percentile(sorted, 0.5)}, 95 % ${percentile(sorted, 0.95)}`);
  }
  expect(there).toHaveLength(ROUNDS);
});
