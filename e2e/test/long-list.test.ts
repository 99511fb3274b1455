import { expect, test } from 'vitest';
import type { Albums, Placed, View } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';
import { longestTask, type LongestTask } from '../support/trace.ts';
import { until } from '../support/until.ts';

const ALBUMS = 100_000;
const ROW = 68; // pixels

const stage = setStage();

/** Turns the wheel over the list, as fast as a hand does. */
async function wheel(albums: Albums, turns: number): Promise<void> {
  await albums.hook('albums').hover();
  for (let turn = 0; turn < turns; turn++) {
    await albums.page.mouse.wheel(0, 5 * ROW);
    await albums.page.waitForTimeout(16);
  }
}

/** Fails unless rows follow each other without a gap, in the order of the list. */
function expectInOrder(rows: readonly Placed[]): void {
  expect(rows.length).toBeGreaterThan(4);
  for (const [i, row] of rows.entries()) {
    const before = rows[i - 1];
    if (before === undefined) continue;
    expect(row.y - before.y).toBeCloseTo(ROW, 0);
    const [a, b] = [`${before.name}\n${before.artist}`, `${row.name}\n${row.artist}`];
    expect(a <= b, `${a} before ${b}`).toBe(true);
  }
}

function print(what: string, { elapsed, computed }: LongestTask): void {
  console.log(`${what}: longest main-thread task ${elapsed.toFixed(1)} ms, of which computing ${computed.toFixed(1)} ms`);
}

/** Waits until the list of a page shows what a change elsewhere leads to. */
function viewWhen(what: string, albums: Albums, such: (view: View) => boolean): Promise<View> {
  return until(what, async () => {
    const view = await albums.view();
    return such(view) && view;
  });
}

test(`the scrollbar spans ${ALBUMS} albums, of which the page holds a few, and never stalls`, async () => {
  const server = await stage.server();
  await server.seed(1000);
  const albums = await stage.browserAt(server.url);
  await albums.counts(1000);
  await albums.wholeView();
  const few = await longestTask(stage.browser, albums.page, () => wheel(albums, 60));
  print('scrolling 1,000 albums', few);

  await server.seed(ALBUMS - 1000);
  await albums.counts(ALBUMS);
  await albums.scrollTo(0);
  const start = await albums.wholeView();
  expect(start.height).toBe(ALBUMS * ROW);
  expectInOrder(start.rows);

  const many = await longestTask(stage.browser, albums.page, async () => {
    await wheel(albums, 120);
    const view = await albums.wholeView();
    // Rows that came late, before those in view, have moved it on.
    expect(view.top).toBeGreaterThanOrEqual(120 * 5 * ROW);
    expectInOrder(view.rows);

    for (const share of [0.1, 0.2, 0.35, 0.5]) {
      await albums.scrollTo(ALBUMS * ROW * share);
      await albums.page.waitForTimeout(50);
    }
    const middle = await albums.wholeView();
    expect(middle.top).toBe((ALBUMS * ROW) / 2);
    expect(middle.height).toBe(ALBUMS * ROW);
    expectInOrder(middle.rows);
    // Half of the names are before the middle one, which the program that adds them picks at random.
    expect(middle.rows[0]?.name).toMatch(/^(Little|Lunar|Midnight|Northern)/);

    await albums.scrollTo(ALBUMS * ROW);
    const end = await albums.wholeView();
    expect(end.rows[0]?.name).toMatch(/^Velvet Weather/);
  });
  print(`scrolling ${ALBUMS.toLocaleString('en')} albums, by wheel and far`, many);
  expect(await albums.hook('album-row').count()).toBeLessThan(60);
  // What the thread computes, that is: by the clock, others may have the processor. A hundred times the rows would
  // show if anything were done for each; what this test itself asks of the page is in the figure, too.
  expect(many.computed).toBeLessThan(Math.max(50, 8 * few.computed));
}, 240_000);

test('what is in view stays where it is while others come, go and move above it', async () => {
  const server = await stage.server();
  await server.seed(5000);
  const [albums, other] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  for (const one of [albums, other]) {
    await one.counts(5000);
    await one.wholeView();
    await one.scrollTo(2500 * ROW);
  }
  const [before, same] = [await albums.wholeView(), await other.wholeView()];
  expect(same.rows.map(({ id }) => id)).toEqual(before.rows.map(({ id }) => id));
  const [first] = before.rows;
  const above = before.above.slice(-4).map(({ id }) => id);
  const isWhereItWas = ({ rows }: View): boolean => rows[0]?.id === first?.id && Math.abs((rows[0]?.y ?? 0) - (first?.y ?? 0)) < 1;
  const drawnAbove = (view: View): readonly string[] => view.above.map(({ id }) => id);

  await other.page.locator(`[data-id="${above[0]}"]`).getByTestId('row-delete').evaluate(button => (button as HTMLElement).click());
  expect(await viewWhen('one above is gone', albums, view => !drawnAbove(view).includes(above[0]!))).toSatisfy(isWhereItWas);

  const mover = other.page.locator(`[data-id="${above[1]}"]`);
  await mover.getByTestId('row-edit').evaluate(button => (button as HTMLElement).click());
  await mover.getByTestId('edit-name').evaluate(input => ((input as HTMLInputElement).value = 'Zzz, moved to the end'));
  await mover.getByTestId('row-save').evaluate(button => (button as HTMLElement).click());
  expect(await viewWhen('another has moved away', albums, view => !drawnAbove(view).includes(above[1]!))).toSatisfy(isWhereItWas);

  await other.add(before.above.at(-1)!.name, '!', 1999);
  await albums.counts(5000);
  await other.add('!', 'First of all', 2000);
  await albums.counts(5001);
  expect(await albums.wholeView()).toSatisfy(isWhereItWas);

  await albums.scrollTo(0);
  const top = await viewWhen('the first of all is there', albums, ({ rows }) => rows[0]?.name === '!');
  expectInOrder(top.rows);
});

test('another order starts at the top, and the rows before stay until it is there', async () => {
  const server = await stage.server();
  await server.seed(2000);
  const albums = await stage.browserAt(server.url);
  await albums.counts(2000);
  await albums.scrollTo(1000 * ROW);
  await albums.wholeView();
  await albums.sort('year');
  const view = await viewWhen('the oldest are there', albums, ({ rows }) => rows[0]?.year === '1960');
  expect(view.top).toBe(0);
  await albums.sort('year');
  await viewWhen('the newest are there', albums, ({ rows }) => rows[0]?.year === '2025');
});
