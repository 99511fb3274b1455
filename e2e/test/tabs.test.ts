import { expect, test } from 'vitest';
import { agree, Albums } from '../support/albums.ts';
import { sharedWorkers } from '../support/chromium.ts';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const stage = setStage();

test('tabs share one worker, one socket and one database; a browser of its own has its own', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const context = await stage.context();
  const tabs = [await Albums.openLive(context, wire.url), await Albums.openLive(context, wire.url)];
  expect(await sharedWorkers(stage.browser)).toBe(1);
  expect(wire.webSockets).toBe(1);
  for (const tab of tabs) {
    expect(await tab.page.evaluate(async () => (await indexedDB.databases()).length)).toBe(1);
  }
  await Albums.openLive(await stage.context(), wire.url);
  expect(await sharedWorkers(stage.browser)).toBe(2);
  expect(wire.webSockets).toBe(2);
});

test.each([0, 1])('closing tab %i leaves the other working', async closing => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const context = await stage.context();
  const tabs = [await Albums.openLive(context, wire.url), await Albums.openLive(context, wire.url)];
  const [closed, left] = closing === 0 ? tabs : tabs.toReversed();
  const elsewhere = await stage.browserAt(server.url);
  await closed!.add('By the tab that goes');
  await closed!.page.close();

  await left!.shows('By the tab that goes');
  await left!.add('By the tab that stays');
  await elsewhere.shows('By the tab that goes', 'By the tab that stays');
  await elsewhere.remove('By the tab that goes');
  await left!.shows('By the tab that stays');
  await left!.pending(0);
  expect(wire.webSockets).toBe(1);
});

test('tabs see each other’s commits while the server is down', async () => {
  const server = await stage.server();
  const context = await stage.context();
  const [one, two] = [await Albums.openLive(context, server.url), await Albums.openLive(context, server.url)];
  await server.kill();
  await one.status('offline');
  await two.status('offline');
  await one.add('By one');
  await two.shows('By one');
  await two.edit('By one', { name: 'By both' });
  await one.shows('By both');
  await two.remove('By both');
  await one.shows();
  await agree(one, two);
  await one.pending(3);
  await two.pending(3);
});

test('when the last tab has gone, the socket goes', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const context = await stage.context();
  const tabs = [await Albums.openLive(context, wire.url), await Albums.openLive(context, wire.url)];
  for (const tab of tabs) await tab.page.close();
  await until('no WebSocket is open', () => wire.webSockets === 0);
});

test('a tab that is reloaded goes on, and leaves nothing behind', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const context = await stage.context();
  const [one, two] = [await Albums.openLive(context, wire.url), await Albums.openLive(context, wire.url)];
  await one.add('Absolution');
  for (let round = 0; round < 5; round++) await two.page.reload();
  await two.shows('Absolution');
  await two.status('live');
  await two.add('Drones');
  await one.shows('Absolution', 'Drones');
  expect(wire.webSockets).toBe(1);
  expect(await sharedWorkers(stage.browser)).toBe(1);
});

test('where there are no shared workers, one tab runs the node for all, and another takes over', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const context = await stage.context();
  await context.addInitScript(() => Reflect.deleteProperty(globalThis, 'SharedWorker'));
  const [one, two] = [await Albums.openLive(context, wire.url), await Albums.openLive(context, wire.url)];
  expect(await sharedWorkers(stage.browser)).toBe(0);
  expect(wire.webSockets).toBe(1);
  await one.add('By one');
  await two.shows('By one');
  await two.add('By two');
  await one.shows('By one', 'By two');

  await one.page.close(); // which ran the node
  // What is under way when a leader dies is rejected as closed, so the heir must have taken over.
  await until('the heir runs the node', () => two.page.workers().length === 1);
  await two.shows('By one', 'By two');
  await two.status('live');
  await two.add('By the heir');
  const elsewhere = await stage.browserAt(server.url);
  await elsewhere.shows('By one', 'By the heir', 'By two');
  expect(await two.names()).toEqual(['By one', 'By the heir', 'By two']);
});
