import { expect, test } from 'vitest';

import { RowList } from '../src/row-list.ts';
import { random } from './random.ts';

test('moves like an array, at any size', () => {
  const { seed, below } = random();
  for (const size of [0, 1, 1000, 1024, 1025, 5000]) {
    const list = new RowList<number>();
    const array: number[] = [];
    for (let i = 0; i < size; i++) {
      list.insert(i, i);
      array.push(i);
    }
    for (let step = 0; step < 2000; step++) {
      const insert = array.length === 0 || below(2) === 0;
      if (insert) {
        const at = below(array.length + 1);
        list.insert(at, step);
        array.splice(at, 0, step);
      } else {
        const at = below(array.length);
        expect(list.at(at), `seed ${seed}`).toBe(array[at]);
        expect(list.remove(at), `seed ${seed}`).toBe(array.splice(at, 1)[0]);
      }
    }
    if (array.length > 0) {
      list.replace(array.length - 1, -1);
      array[array.length - 1] = -1;
    }
    expect(list.length).toBe(array.length);
    expect(list.toArray(), `seed ${seed}`).toEqual(array);
    list.clear();
    expect(list.toArray()).toEqual([]);
  }
});

test.each([-1, 3, Number.NaN, 0.5 + 3])('position %s is out of range', position => {
  const list = new RowList<string>();
  list.insert(0, 'a');
  list.insert(1, 'b');
  expect(() => list.at(position)).toThrow(RangeError);
  expect(() => list.remove(position)).toThrow(RangeError);
  expect(() => list.insert(position, 'c')).toThrow(RangeError);
});

/** The least that a piece of work took, of many times: what it takes when nobody is in the way. */
function least(times: number, work: () => unknown): number {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

test('reading a long list costs about what a copy of an array costs', () => {
  const array = Array.from({ length: 100_000 }, (_, i) => ({ i }));
  const list = new RowList<{ i: number }>();
  for (const [i, row] of array.entries()) list.insert(i, row);
  expect(least(50, () => list.toArray()) / least(50, () => array.slice())).toBeLessThan(20);
});
