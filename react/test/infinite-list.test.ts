import { signal } from '@preact/signals-core';
import { describe, expect, test } from 'vitest';

import { InfiniteList, type InfiniteListOptions } from '../src/infinite-list.ts';
import { FakeList, FakeWindow, item, named, type Item } from './fake-list.ts';

interface Opened {
  readonly all: FakeList;
  readonly list: InfiniteList<Item>;
  /** The window on the list. */
  readonly window: FakeWindow;
  readonly connect: (connection: 'live' | 'offline') => void;
}

function open(length: number, options: InfiniteListOptions = {}): Opened {
  const all = new FakeList(length);
  const status = signal<{ readonly connection: 'live' | 'offline' }>({ connection: 'live' });
  const list = new InfiniteList<Item>(
    range => {
      const window = new FakeWindow(all, range);
      all.windows.push(window);
      return window;
    },
    status,
    { pageSize: 10, maxRows: 60, ...options },
  );
  list.subscribe(() => {});
  const connect = (connection: 'live' | 'offline'): void => {
    status.value = { connection };
  };
  return { all, list, window: all.windows[0]!, connect };
}

/** The list's rows by their numbers, as a virtual list places them. */
function row(list: InfiniteList<Item>, number: number): Item | undefined {
  const { data, firstIndex } = list.getSnapshot();
  return data[number - firstIndex];
}

describe('opening', () => {
  test.each<[string, InfiniteListOptions, { data: [number, number]; firstIndex: number; anchorIndex: number }]>([
    ['at the start', {}, { data: [0, 21], firstIndex: 0, anchorIndex: 0 }],
    ['at the end', { anchor: 'end' }, { data: [90, 100], firstIndex: 0, anchorIndex: 10 }],
    ['at a number', { anchor: 50 }, { data: [40, 71], firstIndex: 40, anchorIndex: 10 }],
    ['at a number near the start', { anchor: 3 }, { data: [0, 24], firstIndex: 0, anchorIndex: 3 }],
    ['at an entity', { anchor: item(50).id }, { data: [40, 71], firstIndex: 0, anchorIndex: 10 }],
  ])('%s', (_where, options, { data: [from, to], firstIndex, anchorIndex }) => {
    const { all, list } = open(100, options);
    expect(list.getSnapshot()).toMatchObject({ data: [], status: 'loading', isJumping: false, firstIndex: 0 });
    all.settle();
    expect(list.getSnapshot()).toMatchObject({ status: 'live', firstIndex, anchorIndex, hasPrevious: from > 0, hasNext: to < 100 });
    expect(list.getSnapshot().data).toEqual(all.rows.slice(from, to));
  });

  test('an empty list is empty', () => {
    const { all, list } = open(0);
    all.settle();
    expect(list.getSnapshot()).toMatchObject({ data: [], status: 'live', hasNext: false, hasPrevious: false, firstIndex: 0 });
    list.show(0, 20);
    all.edit({ put: [named('a')] });
    all.answer();
    expect(list.getSnapshot()).toMatchObject({ firstIndex: 0, data: [named('a')] });
  });
});

describe('fetching by hand', () => {
  test('adds a page behind, and before, and says so meanwhile', () => {
    const { all, list } = open(100, { anchor: 50 });
    all.settle();
    list.fetchNext();
    expect(list.getSnapshot()).toMatchObject({ isFetchingNext: true, isFetchingPrevious: false });
    list.fetchPrevious(); // one thing at a time
    all.settle();
    expect(list.getSnapshot()).toMatchObject({ isFetchingNext: false, isFetchingPrevious: false, firstIndex: 40 });
    expect(list.getSnapshot().data).toEqual(all.rows.slice(40, 81));
    list.fetchPrevious();
    expect(list.getSnapshot()).toMatchObject({ isFetchingNext: false, isFetchingPrevious: true });
    all.settle();
    expect(list.getSnapshot().data).toEqual(all.rows.slice(30, 81));
    expect(list.getSnapshot().firstIndex).toBe(30);
  });

  test('to the end of a list holds no more than was said, and keeps the numbers', () => {
    const { all, list } = open(1000);
    all.settle();
    for (let pages = 0; list.getSnapshot().hasNext; pages++) {
      expect(pages).toBeLessThan(100);
      list.fetchNext();
      all.settle();
      const { data, firstIndex } = list.getSnapshot();
      expect(data.length).toBeLessThanOrEqual(60);
      expect(data).toEqual(all.rows.slice(firstIndex, firstIndex + data.length));
    }
    expect(list.getSnapshot().data.at(-1)).toBe(all.rows.at(-1));
    while (list.getSnapshot().hasPrevious) {
      list.fetchPrevious();
      all.settle();
      const { data, firstIndex } = list.getSnapshot();
      expect(data.length).toBeLessThanOrEqual(60);
      expect(data).toEqual(all.rows.slice(firstIndex, firstIndex + data.length));
    }
    expect(list.getSnapshot().firstIndex).toBe(0);
    expect(list.getSnapshot().shift).toBe(0);
  });

  test('where there is nothing more asks nothing', () => {
    const { all, list, window } = open(5);
    all.settle();
    list.fetchNext();
    list.fetchPrevious();
    expect(window.ranges).toHaveLength(1);
  });

  test('from the end up numbers what comes before, and says by how much', () => {
    const { all, list } = open(100, { anchor: 'end' });
    all.settle();
    list.fetchPrevious();
    all.settle();
    expect(list.getSnapshot()).toMatchObject({ firstIndex: 0, shift: 10 });
    expect(list.getSnapshot().data).toEqual(all.rows.slice(80));
  });
});

describe('a view', () => {
  test('that comes near the last row fetches what lies ahead', () => {
    const { all, list } = open(1000);
    all.settle();
    list.show(0, 8);
    expect(list.getSnapshot().isFetchingNext).toBe(false);
    list.show(10, 18);
    expect(list.getSnapshot().isFetchingNext).toBe(true);
    all.settle();
    list.show(55, 63);
    all.settle();
    expect(row(list, 73)).toBe(all.rows[73]);
  });

  test('far away is jumped to, once the way is clear', () => {
    const { all, list, window } = open(1000);
    all.settle();
    list.show(500, 508);
    expect(list.getSnapshot()).toMatchObject({ isJumping: true, firstIndex: 0 });
    list.show(700, 708); // dragged on
    list.show(900, 908);
    expect(window.ranges).toHaveLength(2);
    all.settle();
    expect(window.ranges).toHaveLength(3);
    expect(list.getSnapshot()).toMatchObject({ isJumping: false, firstIndex: 890 });
    for (let number = 900; number <= 908; number++) expect(row(list, number)).toBe(all.rows[number]);
  });

  test('beyond the last row is of no use', () => {
    const { all, list, window } = open(15);
    all.settle();
    list.show(500, 508);
    expect(window.ranges).toHaveLength(1);
  });

  test('keeps its first row where it is', () => {
    const { all, list } = open(1000, { anchor: 500 });
    all.settle();
    list.show(505, 513);
    const seen = row(list, 505);
    all.edit({ put: [named('00000990a'), named('00000990b')], take: [item(503), item(508)] });
    all.answer();
    expect(row(list, 505)).toBe(seen);
    expect(list.getSnapshot().shift).toBe(0);
    all.edit({ take: [item(505)] });
    all.answer();
    expect(row(list, 505)).toEqual(item(506));
  });

  test('of the very first row sees what comes before it; any other is told of it', () => {
    const { all, list } = open(100);
    all.settle();
    list.show(0, 8);
    all.edit({ put: [named('!')] });
    all.answer();
    expect(list.getSnapshot()).toMatchObject({ firstIndex: 0, shift: 0 });
    expect(row(list, 0)).toEqual(named('!'));
    list.show(3, 11);
    const seen = row(list, 3);
    all.edit({ put: [named('!!')] });
    all.answer();
    expect(list.getSnapshot()).toMatchObject({ firstIndex: 0, shift: 1 });
    expect(row(list, 4)).toBe(seen);
  });

  test('keeps its rows where they are when the start comes nearer than their numbers say', () => {
    const { all, list } = open(1000);
    all.settle();
    list.show(500, 508);
    all.settle();
    all.edit({ take: all.rows.slice(0, 400) });
    all.answer();
    for (let first = 495; list.getSnapshot().firstIndex > 0; first -= 5) {
      const seen = row(list, first);
      const before = list.getSnapshot().shift;
      list.show(first, first + 8);
      all.settle();
      const after = list.getSnapshot().shift;
      first += after - before;
      expect(row(list, first)).toBe(seen);
      if (first < -100) throw new Error('the start is never found');
    }
    expect(list.getSnapshot().shift).toBe(-400);
    expect(list.getSnapshot().data[0]).toBe(all.rows[0]);
  });

  test('that leaps to the first number sees the start, whatever came before it meanwhile', () => {
    const { all, list } = open(1000);
    all.settle();
    list.show(500, 508);
    all.settle();
    all.edit({ put: Array.from({ length: 300 }, (_, n) => named(`!${n}`)) });
    all.answer();
    list.show(0, 8);
    all.settle();
    expect(list.getSnapshot()).toMatchObject({ firstIndex: 0, hasPrevious: false });
    expect(row(list, 0)).toBe(all.rows[0]);
  });

  test('that leaps to the first row held of a list that was opened at its end fetches a page', () => {
    const { all, list } = open(1000, { anchor: 'end', pageSize: 3 });
    all.settle();
    for (let page = 0; page < 3; page++) {
      list.fetchPrevious();
      all.settle();
    }
    list.show(8, 11);
    list.show(0, 3);
    all.settle();
    expect(list.getSnapshot().data.at(-1)).toBe(all.rows.at(-1));
  });

  test('greater than a page never makes it fetch to and fro', () => {
    const { all, list, window } = open(1000, { maxRows: 0 });
    all.settle();
    list.show(100, 125);
    all.settle();
    list.show(110, 135);
    all.settle();
    expect(window.ranges.length).toBeLessThan(10);
    for (let number = 110; number <= 135; number++) expect(row(list, number)).toBe(all.rows[number]);
  });
});

describe('jumping', () => {
  test('to what is held resolves at once', async () => {
    const { all, list, window } = open(100);
    all.settle();
    await expect(list.jumpTo(7)).resolves.toBe(7);
    await expect(list.jumpTo(item(9).id)).resolves.toBe(9);
    await expect(list.jumpTo('start')).resolves.toBe(0);
    expect(window.ranges).toHaveLength(1);
  });

  test.each<[string, Parameters<InfiniteList<Item>['jumpTo']>[0], number, number]>([
    ['a number', 500, 500, 500],
    ['beyond the last', 5000, 5000, 999],
    ['an entity', item(500).id, 10, 500],
    ['the end', 'end', 9, 999],
  ])('to %s resolves with its number when it is there', async (_where, place, number, which) => {
    const { all, list } = open(1000);
    all.settle();
    const jump = list.jumpTo(place);
    expect(list.getSnapshot().isJumping).toBe(true);
    all.settle();
    await expect(jump).resolves.toBe(number);
    expect(row(list, number)).toBe(all.rows[which]);
    expect(list.getSnapshot().isJumping).toBe(false);
  });

  test('back to the start is exact', async () => {
    const { all, list } = open(1000, { anchor: 500 });
    all.settle();
    const jump = list.jumpTo('start');
    all.settle();
    await expect(jump).resolves.toBe(0);
    expect(list.getSnapshot()).toMatchObject({ firstIndex: 0, hasPrevious: false });
  });

  test('elsewhere takes the place of a jump that is under way', async () => {
    const { all, list } = open(1000);
    all.settle();
    const first = list.jumpTo(300);
    const second = list.jumpTo(600);
    await expect(first).resolves.toBeUndefined();
    all.settle();
    await expect(second).resolves.toBe(600);
  });

  test('is not taken for done by an answer to what was asked before', async () => {
    const { all, list, window } = open(1000);
    all.settle();
    list.show(300, 308);
    all.settle();
    const before = window.getSnapshot();
    const jump = list.jumpTo(800);
    window.say({ ...before, data: before.data.slice(), pin: 10 }); // it was under way when the jump began
    expect(list.getSnapshot()).toMatchObject({ isJumping: true, firstIndex: 290 });
    all.settle();
    await expect(jump).resolves.toBe(800);
    expect(row(list, 801)).toBe(all.rows[801]);
  });

  test('does not lead back to where the view was', async () => {
    const { all, list, window } = open(1000);
    all.settle();
    list.show(3, 11);
    const jump = list.jumpTo(item(800).id);
    all.settle();
    await jump;
    expect(window.ranges).toHaveLength(2);
  });

  test('resolves when the list has an error, and the place is found when it recovers', async () => {
    const { all, list, window } = open(1000);
    all.settle();
    const jump = list.jumpTo(500);
    window.fail('storage');
    await expect(jump).resolves.toBeUndefined();
    expect(list.getSnapshot()).toMatchObject({ status: 'error', isJumping: false });
    window.answer(); // it recovers
    expect(list.getSnapshot()).toMatchObject({ status: 'live', firstIndex: 490 });

  });

  test('resolves when nobody looks any more', async () => {
    const all = new FakeList(1000);
    const list = new InfiniteList<Item>(range => new FakeWindow(all, range), signal({ connection: 'live' as const }), { anchor: 500 });
    const stop = list.subscribe(() => {});
    const jump = list.jumpTo(5);
    stop();
    await expect(jump).resolves.toBeUndefined();
  });
});

describe('what only this device knows', () => {
  test('is shown at first, and more is expected', () => {
    const { all, list, window } = open(100);
    window.answer(all.rows.slice(0, 5));
    expect(list.getSnapshot()).toMatchObject({ status: 'local', hasNext: true, hasPrevious: false, firstIndex: 0 });
    expect(list.getSnapshot().data).toEqual(all.rows.slice(0, 5));
    window.answer();
    expect(list.getSnapshot()).toMatchObject({ status: 'live', hasNext: true, isFetchingNext: false });
    expect(list.getSnapshot().data).toEqual(all.rows.slice(0, 21));
  });

  test('has the numbers of the place that was asked for', () => {
    const { all, list, window } = open(100, { anchor: 50 });
    window.answer(all.rows.slice(45, 55));
    expect(list.getSnapshot()).toMatchObject({ status: 'local', firstIndex: 45, hasNext: true, hasPrevious: true });
    window.answer();
    expect(list.getSnapshot()).toMatchObject({ status: 'live', firstIndex: 40 });
  });

  test('does not end a list that goes on', () => {
    const { all, list, window } = open(100);
    all.settle();
    list.fetchNext();
    window.answer(all.rows.slice(0, 21));
    expect(list.getSnapshot()).toMatchObject({ hasNext: true, isFetchingNext: true });
    window.answer();
    expect(list.getSnapshot()).toMatchObject({ hasNext: true, isFetchingNext: false });
    expect(list.getSnapshot().data).toHaveLength(31);
  });

  test('is not shown for the rows of another place', () => {
    const { all, list, window } = open(1000);
    all.settle();
    list.show(500, 508);
    window.answer(all.rows.slice(0, 21)); // the last of what it has
    expect(list.getSnapshot()).toMatchObject({ isJumping: true, firstIndex: 0, status: 'live' });
    expect(list.getSnapshot().data).toEqual(all.rows.slice(0, 21));
    window.answer();
    expect(list.getSnapshot()).toMatchObject({ isJumping: false, firstIndex: 490 });
  });

  test('is all that there is without a connection', async () => {
    const { all, list, window, connect } = open(1000);
    connect('offline');
    window.answer(all.rows.slice(0, 15));
    expect(list.getSnapshot()).toMatchObject({ status: 'local', hasNext: false, isFetchingNext: false });
    connect('live');
    expect(list.getSnapshot()).toMatchObject({ hasNext: true });
    const jump = list.jumpTo(500);
    window.answer(all.rows.slice(300, 501));
    expect(list.getSnapshot()).toMatchObject({ isJumping: true });
    connect('offline'); // nobody else will answer
    await expect(jump).resolves.toBe(500);
    expect(list.getSnapshot()).toMatchObject({ isJumping: false, hasNext: false, firstIndex: 490 });
  });
});

test('random edits and scrolling: rows are right, few, and stay where they are', () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * n);
  };
  const { all, list } = open(500);
  all.settle();
  let first = 0;
  let names = 0;
  let shift = 0;
  const check = (what: string): void => expect(true, `seed ${seed}: ${what}`).toBe(true);
  for (let step = 0; step < 800; step++) {
    check(`step ${step}`);
    const kind = below(10);
    if (kind < 6) {
      first = kind === 0 ? below(all.rows.length) : Math.max(0, first + below(31) - 15);
      first = Math.min(first, list.getSnapshot().firstIndex + (list.getSnapshot().hasNext ? 1e9 : list.getSnapshot().data.length));
      list.show(first, first + 12);
      all.settle();
      first += list.getSnapshot().shift - shift;
      shift = list.getSnapshot().shift;
      const { data, firstIndex, hasNext, hasPrevious } = list.getSnapshot();
      expect(data.length, `seed ${seed}`).toBeLessThanOrEqual(73);
      if (hasPrevious) expect(firstIndex, `seed ${seed}`).toBeLessThanOrEqual(Math.max(0, first));
      if (hasNext) expect(firstIndex + data.length, `seed ${seed}`).toBeGreaterThan(first + 12);
    } else {
      const seen = row(list, first);
      const put = Array.from({ length: below(5) }, () => named(`${String(below(1000)).padStart(8, '0')}-${names++}`));
      const take = Array.from({ length: below(5) }, () => all.rows[below(all.rows.length)]!).filter(({ id }) => id !== seen?.id);
      all.edit({ put, take });
      all.answer();
      all.settle();
      const now = list.getSnapshot();
      first += now.shift - shift;
      shift = now.shift;
      if (first > 0 || now.hasPrevious) expect(row(list, first)?.id, `seed ${seed}`).toBe(seen?.id);
    }
    const { data } = list.getSnapshot();
    const place = all.rows.findIndex(({ id }) => id === data[0]?.id);
    expect(data.map(({ id }) => id), `seed ${seed}`).toEqual(all.rows.slice(place, place + data.length).map(({ id }) => id));
  }
});
