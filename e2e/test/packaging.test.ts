import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { Server } from '../support/server.ts';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { ViteProject } from '../support/vite-project.ts';

const stage = setStage();
let project: ViteProject;

beforeAll(async () => {
  project = await ViteProject.create();
});
afterAll(() => project.remove());

const socketOf = (server: Server): string => `ws://127.0.0.1:${server.port}/ws`;

/** Proves that the node runs: it connects, writes, shows, and tells the other. */
async function worksAt(url: string): Promise<void> {
  const pages: Page[] = [];
  for (let index = 0; index < 2; index++) pages.push(await (await stage.context()).newPage());
  for (const page of pages) {
    await page.goto(url);
    await page.locator('#status').getByText('live').waitFor();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false); // no COOP and COEP headers needed
  }
  const [one, two] = pages as [Page, Page];
  await one.getByRole('button').click();
  await two.locator('#notes').getByText('note 0').waitFor();
  await two.getByRole('button').click();
  await until('both notes are shown', async () => (await one.locator('#notes').textContent()) === 'note 0, note 1');
}

test('the packed packages work in vite dev, without configuration', async () => {
  const server = await stage.server();
  await worksAt(await project.serve('dev', socketOf(server)));
});

test('the packed packages work in vite build, without configuration', async () => {
  const server = await stage.server();
  await project.build(socketOf(server));
  await worksAt(await project.serve('preview', socketOf(server)));
});
