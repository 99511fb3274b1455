import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { NodeClient } from '../src/create-client.ts';
import { defineModel, f } from '../src/mod.ts';
import { FakeNode, kinds, settled } from './fake-node.ts';

const Album = defineModel('album', { name: f.string() });
let page: EventTarget;

beforeEach(() => {
  page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
});
afterEach(() => vi.unstubAllGlobals());

/** What the page said about its network, and in what order with its hello. */
const said = (node: FakeNode): unknown[] =>
  node.sent.flatMap(({ kind, fields }) => (kind === kinds.hello ? ['hello'] : kind === kinds.network ? fields : []));

function start(): { node: FakeNode; client: NodeClient } {
  const node = new FakeNode();
  return { node, client: new NodeClient({ name: 'test', models: [Album], url: 'ws://x' }, node.start) };
}

test('the node is told when the browser loses and finds its network', async () => {
  const { node, client } = start();
  await node.open();
  page.dispatchEvent(new Event('offline'));
  await settled();
  page.dispatchEvent(new Event('online'));
  await settled();
  expect(said(node)).toEqual(['hello', false, true]);

  await client.close();
  page.dispatchEvent(new Event('offline'));
  await settled();
  expect(said(node)).toEqual(['hello', false, true]);
});

test('a page without a network says so before its hello, so that nothing is dialled', async () => {
  vi.stubGlobal('navigator', { onLine: false });
  const { node } = start();
  page.dispatchEvent(new Event('offline')); // before there is a node
  await node.open();
  expect(said(node)).toEqual([false, 'hello']);
});
