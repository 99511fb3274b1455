import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { setStage } from '../support/stage.ts';
import type { Server } from '../support/server.ts';
import { longestTask } from '../support/trace.ts';
import { until } from '../support/until.ts';

const ALBUMS = 10_000;

const stage = setStage();
const root = fileURLToPath(new URL('../../', import.meta.url));

/** Adds albums through the server's API, as `make seed` does. */
async function seed(server: Server): Promise<void> {
  const args = ['run', './examples/seed', '-n', String(ALBUMS), '-url', `ws://127.0.0.1:${server.port}/ws`];
  await promisify(execFile)('go', args, { cwd: root });
}

test(`longest main-thread task while ${ALBUMS} albums arrive at an open list`, async () => {
  const server = await stage.server();
  const albums = await stage.browserAt(server.url);
  const longest = await longestTask(stage.browser, albums.page, async () => {
    await seed(server);
    await until('the list is full', async () => (await albums.names()).length === 50);
  });
  console.log(`${ALBUMS} albums arrive: longest main-thread task ${longest.toFixed(1)} ms`);
  expect(longest).toBeGreaterThan(0);
});

test(`longest main-thread task while a new browser opens a list of ${ALBUMS} albums`, async () => {
  const server = await stage.server();
  await seed(server);
  const context = await stage.context();
  const page = await context.newPage();
  const started = performance.now();
  const longest = await longestTask(stage.browser, page, async () => {
    await page.goto(server.url);
    await page.getByTestId('album-row').nth(49).waitFor();
  });
  console.log(`a new browser shows 50 of ${ALBUMS} albums after ${(performance.now() - started).toFixed(0)} ms`);
  console.log(`a new browser opens: longest main-thread task ${longest.toFixed(1)} ms`);
  expect(longest).toBeGreaterThan(0);
});
