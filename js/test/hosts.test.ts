import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Client, LiveResult, Model, Properties } from '../src/mod.ts';
import { Stage } from './browser.ts';

/** What a tab holds (Stage.tab). */
declare const client: Client;
declare const Album: Model<Properties>;
declare const live: LiveResult<{ readonly id: string; readonly name: string }>;

let stage: Stage;
let context: BrowserContext;

beforeAll(async () => {
  stage = await Stage.open();
}, 120_000);
afterAll(() => stage?.close());
beforeEach(async () => {
  context = await stage.browser.newContext();
});
afterEach(() => context.close());

const patience = { timeout: 20_000 };

async function ready(tab: Page): Promise<void> {
  await tab.evaluate(() => client.ready());
}

/** Commits an album, and waits until the durable node has it. */
async function add(tab: Page, name: string): Promise<void> {
  await tab.evaluate(async text => {
    const receipt = await client.transact(tx => void tx.create(Album, { name: text }));
    await receipt.synced;
  }, name);
}

/** Commits an album, again where the tab that ran the node went in the middle. */
async function addWhenPossible(tab: Page, name: string): Promise<void> {
  await expect.poll(() => add(tab, name).then(() => 'added', String), patience).toBe('added');
}

/** Waits until a tab shows the album. */
async function shows(tab: Page, name: string): Promise<void> {
  await tab.waitForFunction(text => live.data.some(album => album.name === text), name, patience);
}

/** Waits until a tab's client has failed, and returns the code and words. */
async function failure(tab: Page): Promise<{ code: string; message: string; live: string }> {
  await tab.waitForFunction(() => live.status === 'error', undefined, patience);
  return tab.evaluate(() => {
    const { error } = client.status.value;
    return { code: error?.code ?? '', message: error?.message ?? '', live: live.error?.code ?? '' };
  });
}

/** Waits until something that rejects has, and returns its code. */
function codeOf(tab: Page): Promise<string> {
  return tab.evaluate(async () => {
    try {
      await client.fetch(Album);
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  });
}

describe('shared worker', () => {
  test('tabs share a node, and closing either leaves the other working', async () => {
    const one = await stage.tab(context);
    const two = await stage.tab(context);
    await Promise.all([ready(one), ready(two)]);
    await add(one, 'from the first');
    await shows(two, 'from the first');
    await one.close();
    await add(two, 'from the second');
    const three = await stage.tab(context);
    await shows(three, 'from the second');
    await two.close();
    await add(three, 'from the third');
    expect(await three.evaluate(() => client.status.value.storage)).toBe('indexeddb');
  });

  test('a client that was closed can be opened again in the same page', async () => {
    const tab = await stage.tab(context);
    await ready(tab);
    await add(tab, 'before');
    await tab.evaluate(() => client.close());
    expect(await codeOf(tab)).toBe('closed');
    const again = await stage.tab(context);
    await shows(again, 'before');
  });

  test('a worker that crashes fails everything, in words', async () => {
    const tab = await stage.tab(context);
    await ready(tab);
    const devtools = await stage.browser.newBrowserCDPSession();
    const { targetInfos } = await devtools.send('Target.getTargets');
    const worker = targetInfos.find(target => target.type === 'shared_worker');
    await devtools.send('Target.closeTarget', { targetId: worker?.targetId ?? '' });
    expect(await failure(tab)).toEqual({ code: 'internal', message: expect.stringContaining('crashed'), live: 'internal' });
    expect(await codeOf(tab)).toBe('internal');
    const next = await stage.tab(context);
    await ready(next);
  });

  test('a program that cannot be loaded fails everything, and the next page may try again', async () => {
    const tab = await stage.tab(context, { wasmUrl: '/dist/missing.wasm' });
    expect(await failure(tab)).toEqual({ code: 'internal', message: expect.stringContaining('missing.wasm'), live: 'internal' });
    expect(await codeOf(tab)).toBe('internal');
    const next = await stage.tab(context);
    await ready(next);
  });

  test('a worker script that cannot be loaded fails everything', async () => {
    await context.route('**/worker.js', route => route.abort());
    const tab = await stage.tab(context);
    expect(await failure(tab)).toMatchObject({ code: 'internal', live: 'internal' });
  });

  test('a page that asks for another server is refused', async () => {
    const one = await stage.tab(context);
    await ready(one);
    const two = await stage.tab(context, { storage: 'memory' });
    expect(await failure(two)).toEqual({ code: 'invalid', message: expect.stringContaining('storage'), live: 'invalid' });
    await add(one, 'the first goes on');
  });
});

describe('without shared workers', () => {
  beforeEach(() => context.addInitScript(() => Reflect.deleteProperty(globalThis, 'SharedWorker')));

  test('one tab leads, and another takes over when it goes', async () => {
    const leader = await stage.tab(context);
    await ready(leader);
    const follower = await stage.tab(context);
    await ready(follower);
    await add(follower, 'through the leader');
    await shows(leader, 'through the leader');
    const another = await stage.tab(context);
    await shows(another, 'through the leader');
    await leader.close();
    await addWhenPossible(follower, 'after the leader');
    await addWhenPossible(another, 'after the leader, from another');
    await shows(follower, 'after the leader, from another');
    await shows(another, 'after the leader');
  });

  test('a client that is closed passes the lead on', async () => {
    const leader = await stage.tab(context);
    await ready(leader);
    const follower = await stage.tab(context);
    await ready(follower);
    await leader.evaluate(() => client.close());
    await addWhenPossible(follower, 'after a close');
  });

  test('a program that cannot be loaded fails everything', async () => {
    const tab = await stage.tab(context, { wasmUrl: '/dist/missing.wasm' });
    expect(await failure(tab)).toMatchObject({ code: 'internal', live: 'internal' });
  });
});

describe('in the page', () => {
  test('works alike, and a closed client lets go of the database', async () => {
    const tab = await stage.tab(context, { worker: false });
    await ready(tab);
    await add(tab, 'in the page');
    await tab.evaluate(() => client.close());
    const again = await stage.tab(context, { worker: false });
    await shows(again, 'in the page');
  });

  test('without IndexedDB the data is kept in memory, with a warning', async () => {
    await context.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    const tab = await stage.tab(context, { worker: false, storage: 'indexeddb' });
    await ready(tab);
    await add(tab, 'in memory');
    const status = await tab.evaluate(() => ({ ...client.status.value, warning: client.status.value.warning?.code }));
    expect(status).toMatchObject({ storage: 'memory', warning: 'storage', connection: 'live' });
  });
});
