import { describe, expect, test, vi } from 'vitest';

import { NodeClient } from '../src/create-client.ts';
import { defineModel, f, type LiveWindow } from '../src/mod.ts';
import { delta, FakeNode, idOf, settled, type RowChange } from './fake-node.ts';
import { random } from './random.ts';

const Album = defineModel('album', { name: f.string() });
const columns = ['name'];
const everything = Album.orderBy('name');

const row = (n: number): RowChange & { readonly values: readonly unknown[] } => ({ id: idOf(n), values: [`album ${n}`] });
const placed = (n: number, to: number): RowChange => ({ ...row(n), to });
const taken = (n: number, from: number): RowChange => ({ id: idOf(n), from });

interface Opened {
  readonly node: FakeNode;
  readonly client: NodeClient;
  readonly live: LiveWindow<{ readonly id: string; readonly name: string }>;
}

async function open(lazy = false): Promise<Opened> {
  const node = new FakeNode();
  const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
  await node.open();
  const live = client.window(everything, { anchor: { index: 500 }, before: 2, after: 3 }, { lazy });
  await settled();
  return { node, client, live };
}

const numbers = (live: Opened['live']): readonly number[] => live.data.map(({ id }) => Number(id.slice(2)));

describe('a live window', () => {
  test('asks for its part, and shows what part it is', async () => {
    const { node, live } = await open();
    expect(node.of('subscribe')[0]?.fields).toEqual([1, 'album', 'ORDER BY name', null, [4, 500, 2, 3]]);
    expect(live.getSnapshot()).toEqual({ data: [], status: 'loading', error: undefined });
    node.say(delta(1, { reset: true, columns, changes: [placed(498, 0), placed(499, 1), placed(500, 2)], window: { anchor: 2, hasBefore: true, first: 'a', last: 'c', position: 'c' } }));
    expect(live.getSnapshot()).toMatchObject({
      status: 'live',
      window: { anchor: 2, hasBefore: true, hasAfter: false, first: 'a', last: 'c', position: 'c' },
    });
    expect(numbers(live)).toEqual([498, 499, 500]);
  });

  test('is not shared: each has its own part', async () => {
    const { node, client } = await open();
    client.window(everything, { anchor: 'start', before: 0, after: 3 });
    await settled();
    expect(node.of('subscribe').map(({ fields }) => fields[4])).toEqual([[4, 500, 2, 3], [0, null, 0, 3]]);
  });

  test('moves in place, before the node is open too, and is opened anew where it was', async () => {
    const node = new FakeNode();
    const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
    const live = client.window(everything, { anchor: 'start', before: 0, after: 3 });
    live.move({ anchor: 'end', before: 3, after: 0 });
    await node.open();
    expect(node.of('subscribe')[0]?.fields[4]).toEqual([1, null, 3, 0]);
    live.move({ anchor: { cursor: 'c' }, before: 4, after: 5 });
    live.move({ anchor: { entity: idOf(7) }, before: 4, after: 5 });
    await settled();
    expect(node.of('move').map(({ fields }) => fields.slice(0, 1))).toEqual([[1], [1]]);
    expect(node.of('move')[0]?.fields[1]).toEqual([2, 'c', 4, 5]);
    node.lose();
    await node.open();
    expect(node.of('subscribe')[1]?.fields[4]).toMatchObject([3, expect.anything(), 4, 5]);
  });

  test('keeps its rows, its place and its part over an error', async () => {
    const { node, live } = await open();
    node.say(delta(1, { reset: true, columns, changes: [placed(1, 0)], window: { anchor: 0, hasAfter: true } }));
    node.say(delta(1, { status: 'error', error: ['storage', 'the disk is full'] }));
    expect(live.getSnapshot()).toMatchObject({ status: 'error', window: { hasAfter: true } });
    expect(numbers(live)).toEqual([1]);
  });

  test('without subscribers is closed, and is opened again with its rows and the part that was asked for last', async () => {
    vi.useFakeTimers();
    try {
      const node = new FakeNode();
      const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
      const opening = node.open();
      await vi.runAllTimersAsync();
      await opening;
      const live = client.window(everything, { anchor: 'start', before: 0, after: 3 }, { lazy: true });
      await vi.advanceTimersByTimeAsync(0);
      node.say(delta(1, { reset: true, columns, changes: [placed(1, 0), placed(2, 1)], window: {} }));
      live.pin(1);
      live.move({ anchor: 'start', before: 0, after: 4 });
      await vi.advanceTimersByTimeAsync(2000);
      expect(node.of('unsubscribe')).toHaveLength(1);
      const stop = live.subscribe(() => {});
      await vi.advanceTimersByTimeAsync(0);
      expect(node.of('subscribe')[1]?.fields[4]).toEqual([0, null, 0, 4]);
      expect(live.getSnapshot()).toMatchObject({ status: 'loading', window: { hasAfter: false } });
      node.say(delta(2, { reset: true, columns, changes: [placed(0, 0), placed(1, 1), placed(2, 2)], window: {} }));
      expect(numbers(live)).toEqual([0, 1, 2]);
      expect(live.getSnapshot().pin).toBe(2);
      stop();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the pin', () => {
  async function pinned(): Promise<Opened> {
    const opened = await open();
    opened.node.say(delta(1, { reset: true, columns, changes: [1, 2, 3, 4].map((n, i) => placed(n, i)), window: {} }));
    opened.live.pin(2);
    return opened;
  }

  test.each<[string, RowChange[], number]>([
    ['a row comes before it', [placed(9, 0)], 3],
    ['a row comes at its place', [placed(9, 2)], 3],
    ['a row comes behind it', [placed(9, 3)], 2],
    ['a row before it goes', [taken(1, 0)], 1],
    ['a row behind it goes', [taken(4, 3)], 2],
    ['it goes', [taken(3, 2)], 2],
    ['it changes', [{ id: idOf(3), values: ['other'], from: 2, to: 2 }], 2],
    ['it moves to the start', [{ ...row(3), from: 2, to: 0 }], 3],
    ['it moves to the end', [{ ...row(3), from: 2, to: 3 }], 2],
    ['a row passes it, up', [{ ...row(4), from: 3, to: 0 }], 3],
    ['a row passes it, down', [{ ...row(1), from: 0, to: 3 }], 1],
  ])('%s', async (_what, changes, place) => {
    const { node, live } = await pinned();
    node.say(delta(1, { changes, window: {} }));
    expect(live.getSnapshot().pin).toBe(place);
  });

  test.each<[string, number[], number]>([
    ['is found among all new rows', [9, 8, 3, 4], 2],
    ['is found by the row behind it', [9, 8, 7, 4], 3],
    ['stays within the rows', [9], 1],
  ])('%s', async (_what, rows, place) => {
    const { node, live } = await pinned();
    node.say(delta(1, { reset: true, columns, changes: rows.map((n, i) => placed(n, i)), window: {} }));
    expect(live.getSnapshot().pin).toBe(place);
  });

  test('of a row that stays is always of that row', async () => {
    const chance = random();
    const { node, live } = await open();
    let rows = [1, 2, 3, 4, 5];
    node.say(delta(1, { reset: true, columns, changes: rows.map((n, i) => placed(n, i)), window: {} }));
    live.pin(2);
    for (let n = 10; n < 300; n++) {
      const others = rows.flatMap((row, i) => (row === 3 ? [] : [i]));
      const from = chance.below(3) === 0 ? -1 : (others[chance.below(others.length)] ?? -1);
      const row = from < 0 ? n : rows[from]!;
      if (from >= 0) rows = rows.filter((_, i) => i !== from);
      const to = from >= 0 && chance.below(3) === 0 ? -1 : chance.below(rows.length + 1);
      if (to >= 0) rows = [...rows.slice(0, to), row, ...rows.slice(to)];
      node.say(delta(1, { changes: [{ id: idOf(row), ...(to >= 0 && { values: [`album ${n}`] }), from, to }], window: {} }));
      expect(numbers(live), `seed ${chance.seed}`).toEqual(rows);
      expect(live.getSnapshot().pin, `seed ${chance.seed}`).toBe(rows.indexOf(3));
    }
  });
});
