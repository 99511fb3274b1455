import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { setStage } from '../support/stage.ts';
import { longestTask, type LongestTask } from '../support/trace.ts';

const ALBUMS = 10_000;

const stage = setStage();

function print(what: string, { elapsed, computed }: LongestTask): void {
  console.log(`${what}: longest main-thread task ${elapsed.toFixed(1)} ms, of which computing ${computed.toFixed(1)} ms`);
}

test(`longest main-thread task while ${ALBUMS} albums arrive at an open list`, async () => {
  const server = await stage.server();
  const albums = await stage.browserAt(server.url);
  const longest = await longestTask(stage.browser, albums.page, async () => {
    await server.seed(ALBUMS);
    await albums.counts(ALBUMS);
    await albums.wholeView();
  });
  print(`${ALBUMS} albums arrive`, longest);
  expect(longest.elapsed).toBeGreaterThan(0);
});

test(`a new browser opens a list of ${ALBUMS} albums`, async () => {
  const server = await stage.server();
  await server.seed(ALBUMS);
  const open = async (page: Page): Promise<void> => {
    await page.goto(server.url);
    await page.getByTestId('album-row').nth(9).waitFor();
  };

  const page = await (await stage.context()).newPage();
  const started = performance.now();
  await open(page);
  console.log(`a new browser shows the first of ${ALBUMS} albums after ${(performance.now() - started).toFixed(0)} ms`);
  const again = performance.now();
  await open(page);
  console.log(`a reload shows them after ${(performance.now() - again).toFixed(0)} ms`);

  const traced = await (await stage.context()).newPage();
  const longest = await longestTask(stage.browser, traced, () => open(traced));
  print('a new browser opens', longest);
  expect(longest.elapsed).toBeGreaterThan(0);
});
