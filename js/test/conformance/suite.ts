import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { delta, idOf, type RowChange } from '../fake-node.ts';
import { random } from '../random.ts';
import type { AlbumRow, LiveDriver } from './contract.ts';

const columns = ['name', 'year'];

/** A change that puts an album at a place. */
function put(to: number, n: number, name: string, year: number | null = null, from = -1): RowChange {
  return { from, to, id: idOf(n), values: [name, year] };
}

function names(rows: readonly AlbumRow[]): readonly string[] {
  return rows.map(row => row.name);
}

/**
 * What every way of using a live result keeps, whether an application reads it or a framework
 * renders it.
 */
export function runLiveSuite(name: string, start: () => Promise<LiveDriver>): void {
  describe(`live results: ${name}`, () => {
    let driver: LiveDriver;
    beforeEach(async () => {
      driver = await start();
    });
    afterEach(() => driver.end());

    const queries = (): readonly unknown[] => driver.node.of('subscribe').map(message => message.fields[0]);

    test('begin empty and loading', async () => {
      const live = await driver.observe('year > 1990');
      expect([live.data, live.status, live.error, live.changes]).toEqual([[], 'loading', undefined, 0]);
    });

    test('show local data, then that it is live', async () => {
      const live = await driver.observe('');
      driver.node.say(delta(queries()[0], { status: 'local', reset: true, columns, changes: [put(0, 1, 'a', 1), put(1, 2, 'b')] }));
      await driver.settle();
      expect(live.status).toBe('local');
      expect(live.data).toEqual([{ id: idOf(1), $sync: 'synced', name: 'a', year: 1 }, { id: idOf(2), $sync: 'synced', name: 'b', year: null }]);
      const shown = live.data;
      driver.node.say(delta(queries()[0], { status: 'live' }));
      await driver.settle();
      expect(live.status).toBe('live');
      expect(live.data).toBe(shown);
      expect(live.changes).toBe(2);
    });

    test('a row is another one when it is acknowledged, and no other is', async () => {
      const live = await driver.observe('ORDER BY name');
      const first = [put(0, 1, 'a', 7), put(1, 2, 'b')].map(change => ({ ...change, sync: 1 }));
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: first }));
      await driver.settle();
      const [a, b] = live.data;
      expect(a).toMatchObject({ $sync: 'pending' });
      driver.node.say(delta(queries()[0], { changes: [{ from: 0, to: 0, id: idOf(1) }, { from: 1, to: 1, id: idOf(2), sync: 1 }] }));
      await driver.settle();
      expect(live.data).toEqual([{ ...a, $sync: 'synced' }, b]);
      expect(live.data[1]).toBe(b);
      expect(Object.isFrozen(live.data[0])).toBe(true);
      expect(live.changes).toBe(2);
      const shown = live.data;
      driver.node.say(delta(queries()[0], { changes: [{ from: 0, to: 0, id: idOf(1) }] }));
      await driver.settle();
      expect([live.data, live.changes]).toEqual([shown, 2]);
    });

    test('rows are frozen, and keep their identity when they did not change', async () => {
      const live = await driver.observe('ORDER BY name');
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a'), put(1, 2, 'b'), put(2, 3, 'c')] }));
      await driver.settle();
      const [a, b, c] = live.data;
      driver.node.say(delta(queries()[0], { changes: [put(1, 2, 'b', 7, 1), put(2, 3, 'c', null, 2)] }));
      await driver.settle();
      expect(live.data[0]).toBe(a);
      expect(live.data[1]).not.toBe(b);
      expect(live.data[2]).toBe(c);
      expect(live.data.every(row => Object.isFrozen(row))).toBe(true);
      expect(Object.isFrozen(live.data)).toBe(true);
    });

    test('a change that shows nothing new is no change', async () => {
      const live = await driver.observe('');
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a')] }));
      await driver.settle();
      const [shown, changes] = [live.data, live.changes];
      driver.node.say(delta(queries()[0], { changes: [put(0, 1, 'a', null, 0)] }));
      driver.node.say(delta(queries()[0], { reset: true, changes: [put(0, 1, 'a')] }));
      await driver.settle();
      expect(live.data).toBe(shown);
      expect(live.changes).toBe(changes);
    });

    test('moves: added, moved, removed', async () => {
      const live = await driver.observe('ORDER BY name');
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a'), put(1, 2, 'c')] }));
      driver.node.say(delta(queries()[0], { changes: [put(1, 3, 'b')] }));
      await driver.settle();
      expect(names(live.data)).toEqual(['a', 'b', 'c']);
      const kept = live.data[2];
      driver.node.say(delta(queries()[0], { changes: [{ from: 0, id: idOf(1) }, put(1, 3, 'd', null, 0)] }));
      await driver.settle();
      expect(names(live.data)).toEqual(['c', 'd']);
      expect(live.data[0]).toBe(kept);
    });

    test('the parts of one change set are shown together', async () => {
      const live = await driver.observe('');
      driver.node.say(delta(queries()[0], { reset: true, columns, more: true, changes: [put(0, 1, 'a')] }));
      await driver.settle();
      expect([live.data, live.status]).toEqual([[], 'loading']);
      driver.node.say(delta(queries()[0], { more: true, changes: [put(1, 2, 'b')] }));
      driver.node.say(delta(queries()[0], { changes: [put(2, 3, 'c')] }));
      await driver.settle();
      expect(names(live.data)).toEqual(['a', 'b', 'c']);
      expect(live.changes).toBe(1);
    });

    test('one frame with many change sets is one change', async () => {
      const live = await driver.observe('');
      const query = queries()[0];
      driver.node.say(
        delta(query, { reset: true, columns, changes: [put(0, 1, 'a')] }),
        delta(query, { changes: [put(1, 2, 'b')] }),
        delta(query, { changes: [put(2, 3, 'c')] }),
      );
      await driver.settle();
      expect(names(live.data)).toEqual(['a', 'b', 'c']);
      expect(live.changes).toBe(1);
    });

    test('an error is shown with the rows that were there, and passes', async () => {
      const live = await driver.observe('');
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a')] }));
      driver.node.say(delta(queries()[0], { status: 'error', error: ['denied', 'not yours'] }));
      await driver.settle();
      expect([names(live.data), live.status, live.error]).toEqual([['a'], 'error', 'not yours']);
      driver.node.say(delta(queries()[0], { status: 'live' }));
      await driver.settle();
      expect([names(live.data), live.status, live.error]).toEqual([['a'], 'live', undefined]);
    });

    test('equal queries are one, however they are written', async () => {
      const one = await driver.observe('year > :y  AND name = \'a  b\'', { y: 1 });
      const two = await driver.observe(' year > :y AND name = \'a  b\' ', { y: 1 });
      const other = await driver.observe('year > :y AND name = \'a b\'', { y: 1 });
      expect(queries()).toHaveLength(2);
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a  b')] }));
      await driver.settle();
      expect(one.data).toBe(two.data);
      expect(other.status).toBe('loading');
      await one.close();
      driver.node.say(delta(queries()[0], { changes: [put(1, 2, 'a  b')] }));
      await driver.settle();
      expect(two.data).toHaveLength(2);
      expect(driver.node.of('unsubscribe')).toHaveLength(0);
    });

    test('a query that nobody uses is closed, but one that is used again at once is not', async () => {
      const first = await driver.observe('');
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a')] }));
      await driver.settle();
      await first.close();
      const second = await driver.observe('');
      expect(names(second.data)).toEqual(['a']);
      expect(queries()).toHaveLength(1);
      await second.close();
      await expect.poll(() => driver.node.of('unsubscribe').length).toBe(1);
    });

    test('another selection keeps the rows until it is answered, and their identity after', async () => {
      const live = await driver.observe('year > 1');
      driver.node.say(delta(queries()[0], { reset: true, columns, changes: [put(0, 1, 'a'), put(1, 2, 'b')] }));
      await driver.settle();
      const [, b] = live.data;
      await live.select('year > ?', [2]);
      expect([names(live.data), live.status]).toEqual([['a', 'b'], 'loading']);
      driver.node.say(delta(queries()[0], { changes: [put(2, 9, 'of the old selection')] }));
      await driver.settle();
      expect(names(live.data)).toEqual(['a', 'b']);
      driver.node.say(delta(queries()[1], { status: 'local', reset: true, columns, changes: [put(0, 2, 'b'), put(1, 3, 'c')] }));
      await driver.settle();
      expect([names(live.data), live.status]).toEqual([['b', 'c'], 'local']);
      expect(live.data[0]).toBe(b);
      await expect.poll(() => driver.node.of('unsubscribe').map(message => message.fields[0])).toEqual([queries()[0]]);
    });

    test('incremental equals recomputed, after every step', async () => {
      const { seed, below } = random();
      const live = await driver.observe('ORDER BY name');
      const query = queries()[0];
      const states = ['synced', 'pending', 'refused'] as const;
      const model: { n: number; name: string; year: number | null; sync: number }[] = [];
      driver.node.say(delta(query, { reset: true, columns }));
      for (let step = 0; step < 200; step++) {
        const changes: RowChange[] = [];
        for (let i = below(5); i >= 0; i--) {
          const kind = model.length === 0 ? 0 : below(5);
          if (kind <= 1) {
            const row = { n: step * 10 + i, name: `n${below(50)}`, year: below(3) === 0 ? null : below(9), sync: below(3) };
            const to = below(model.length + 1);
            model.splice(to, 0, row);
            changes.push({ ...put(to, row.n, row.name, row.year), sync: row.sync });
          } else {
            const from = below(model.length);
            const row = model.splice(from, 1)[0];
            if (row === undefined) continue;
            if (kind === 2) {
              changes.push({ from, id: idOf(row.n) });
            } else {
              const to = below(model.length + 1);
              const next = { ...row, year: kind === 3 ? below(9) : row.year, sync: below(3) };
              model.splice(to, 0, next);
              const { values, ...moved } = put(to, next.n, next.name, next.year, from);
              changes.push({ ...moved, sync: next.sync, ...(kind === 3 && { values }) });
            }
          }
        }
        const half = below(changes.length + 1);
        driver.node.say(delta(query, { more: true, changes: changes.slice(0, half) }), delta(query, { changes: changes.slice(half) }));
        await driver.settle();
        expect(live.data, `seed ${seed}, step ${step}`).toEqual(
          model.map(({ n, name: text, year, sync }) => ({ id: idOf(n), $sync: states[sync], name: text, year })),
        );
      }
    });
  });
}
