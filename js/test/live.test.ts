import { describe, expect, test, vi } from 'vitest';

import { NodeClient } from '../src/create-client.ts';
import { defineModel, f, queryKey, type Client, type LiveResult } from '../src/mod.ts';
import type { AlbumRow, LiveDriver, Observed } from './conformance/contract.ts';
import { runLiveSuite } from './conformance/suite.ts';
import { delta, FakeNode, idOf, settled } from './fake-node.ts';

const Album = defineModel('album', { name: f.string(), year: f.int().optional() });
const columns = ['name', 'year'];

async function open(): Promise<{ node: FakeNode; client: Client }> {
  const node = new FakeNode();
  const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
  await node.open();
  return { node, client };
}

/** Observes a result as an application does that holds it. */
function observe(live: LiveResult<AlbumRow>): Observed {
  let changes = 0;
  live.subscribe(() => changes++);
  return {
    get data() {
      return live.data;
    },
    get status() {
      return live.status;
    },
    get error() {
      return live.error?.message;
    },
    get changes() {
      return changes;
    },
    select: async (selection, params) => {
      live.setSelection(selection, params);
      await settled();
    },
    close: async () => {
      live.dispose();
      await Promise.resolve();
    },
  };
}

function driverOf(lazy: boolean): () => Promise<LiveDriver> {
  return async () => {
    const { node, client } = await open();
    return {
      node,
      observe: async (selection, params) => {
        const observed = observe(client.query(Album, selection, params, { lazy }));
        await settled();
        return observed;
      },
      settle: settled,
      end: () => client.close(),
    };
  };
}

runLiveSuite('held', driverOf(false));
runLiveSuite('lazy', driverOf(true));

describe('a lazy result', () => {
  test('starts at once, is closed without subscribers, and starts again with the next', async () => {
    vi.useFakeTimers();
    try {
      const node = new FakeNode();
      const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
      const opening = node.open();
      await vi.runAllTimersAsync();
      await opening;
      const live = client.query(Album, 'year = 1', undefined, { lazy: true });
      await vi.advanceTimersByTimeAsync(0);
      expect(node.of('subscribe')).toHaveLength(1);
      node.say(delta(1, { reset: true, columns, changes: [{ to: 0, id: idOf(1), values: ['a', 1] }] }));
      const shown = live.data;
      await vi.advanceTimersByTimeAsync(2000);
      expect(node.of('unsubscribe')).toHaveLength(1);
      expect(live.data).toBe(shown);
      const stop = live.subscribe(() => {});
      await vi.advanceTimersByTimeAsync(0);
      expect(node.of('subscribe')).toHaveLength(2);
      expect(live.getSnapshot()).toMatchObject({ data: shown, status: 'loading' });
      node.say(delta(2, { reset: true, columns, changes: [{ to: 0, id: idOf(1), values: ['a', 1] }] }));
      expect(live.status).toBe('live');
      expect(live.data[0]).toBe(shown[0]);
      stop();
      await vi.advanceTimersByTimeAsync(11);
      expect(node.of('unsubscribe')).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('with a subscriber outlives its delay', async () => {
    vi.useFakeTimers();
    try {
      const node = new FakeNode();
      const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
      const opening = node.open();
      await vi.runAllTimersAsync();
      await opening;
      client.query(Album, '', undefined, { lazy: true }).subscribe(() => {});
      await vi.advanceTimersByTimeAsync(60_000);
      expect(node.of('unsubscribe')).toHaveLength(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('subscribers', () => {
  test('one that throws is reported, and the others are told', async () => {
    const { node, client } = await open();
    const reported = new Promise<unknown>(resolve => process.once('uncaughtException', resolve));
    const live = client.query(Album);
    const told = vi.fn<() => void>();
    live.subscribe(() => {
      throw new Error('mine');
    });
    live.subscribe(told);
    const others = vi.fn<() => void>();
    client.query(Album).subscribe(others);
    await settled();
    node.say(delta(1, { reset: true, columns }));
    expect(told).toHaveBeenCalledTimes(1);
    expect(others).toHaveBeenCalledTimes(1);
    await expect(reported).resolves.toMatchObject({ message: 'mine' });
  });

  test('the same function twice is called twice, and unsubscribed once at a time', async () => {
    const { node, client } = await open();
    const live = client.query(Album);
    const told = vi.fn<() => void>();
    const stop = live.subscribe(told);
    live.subscribe(told);
    await settled();
    node.say(delta(1, { reset: true, columns }));
    expect(told).toHaveBeenCalledTimes(2);
    stop();
    stop();
    node.say(delta(1, { status: 'local' }));
    expect(told).toHaveBeenCalledTimes(3);
  });

  test('after dispose nothing comes, and the last snapshot can be read', async () => {
    const { node, client } = await open();
    const live = client.query(Album);
    const other = client.query(Album);
    const told = vi.fn<() => void>();
    live.subscribe(told);
    await settled();
    live.dispose();
    live.dispose();
    node.say(delta(1, { reset: true, columns, changes: [{ to: 0, id: idOf(1), values: ['a', 1] }] }));
    expect(told).not.toHaveBeenCalled();
    expect(other.data).toHaveLength(1);
    expect(live.subscribe(told)()).toBeUndefined();
  });
});

describe('a live entity', () => {
  test('is its one row, with stable snapshots', async () => {
    const { node, client } = await open();
    const live = client.entity(Album, idOf(1));
    const told = vi.fn<() => void>();
    live.subscribe(told);
    await settled();
    expect(node.of('subscribe')[0]?.fields.slice(1)).toEqual(['album', 'id = ?', [idOf(1)], null]);
    expect(live.getSnapshot()).toEqual({ data: undefined, status: 'loading', error: undefined });
    node.say(delta(1, { reset: true, columns, changes: [{ to: 0, id: idOf(1), values: ['a', 1] }] }));
    const shown = live.getSnapshot();
    expect(shown).toEqual({ data: { id: idOf(1), $sync: 'synced', name: 'a', year: 1 }, status: 'live', error: undefined });
    expect(live.getSnapshot()).toBe(shown);
    node.say(delta(1, { changes: [{ from: 0, id: idOf(1) }] }));
    expect([live.data, live.status, live.error]).toEqual([undefined, 'live', undefined]);
    expect(told).toHaveBeenCalledTimes(2);
    live.dispose();
  });
});

describe('query keys', () => {
  test.each<[string, Parameters<typeof queryKey>, Parameters<typeof queryKey>, boolean]>([
    ['white space', [Album, 'year  >\n1'], [Album, ' year > 1'], true],
    ['white space in quotes', [Album, "name = 'a  b'"], [Album, "name = 'a b'"], false],
    ['order of names', [Album, 'x', { a: 1, b: 2 }], [Album, 'x', { b: 2, a: 1 }], true],
    ['left out and empty', [Album], [Album, '', []], true],
    ['number and text', [Album, 'x', [1]], [Album, 'x', ['1']], false],
    ['list and values', [Album, 'x', [[1, 2]]], [Album, 'x', [1, 2]], false],
    ['collections', [Album], [defineModel('song', {})], false],
  ])('%s', (_what, a, b, equal) => {
    expect(queryKey(...a) === queryKey(...b)).toBe(equal);
  });

  test('what cannot be bound is refused at once', () => {
    expect(() => queryKey(Album, 'x', [Number.NaN])).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(() => queryKey(Album, 'x', [new Date(Number.NaN)])).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
