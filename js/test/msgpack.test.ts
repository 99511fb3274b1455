import { describe, expect, test } from 'vitest';

import { Reader, Writer } from '../src/msgpack.ts';

function written(write: (w: Writer) => void): Uint8Array {
  const w = new Writer();
  write(w);
  return w.take();
}

const integers = [
  0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1,
  -1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1,
];

describe('what is written is read', () => {
  test.each(integers)('integer %d', n => {
    const bytes = written(w => w.int(n));
    expect(new Reader(bytes).number()).toBe(n);
    expect(new Reader(bytes).bigint()).toBe(BigInt(n));
    expect(written(w => w.bigint(BigInt(n)))).toEqual(bytes);
  });

  test.each([2n ** 53n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)])('bigint %d', n => {
    expect(new Reader(written(w => w.bigint(n))).bigint()).toBe(n);
  });

  test.each([0, 31, 32, 40, 41, 255, 256, 65_535, 65_536])('text of %d characters', length => {
    for (const text of ['x'.repeat(length), 'é'.repeat(length), `${'x'.repeat(length)}🎵`]) {
      const r = new Reader(written(w => w.string(text)));
      expect(r.string()).toBe(text);
      expect(r.more).toBe(false);
    }
  });

  test.each([0, 1, 255, 256, 65_536])('%d bytes', length => {
    const value = new Uint8Array(length).fill(7);
    expect(new Reader(written(w => w.bytes(value))).bytes()).toEqual(value);
  });

  test.each([1.5, -0.25, 1e300, Number.MIN_VALUE, -0])('float %d', value => {
    expect(new Reader(written(w => w.float(value))).number()).toBe(value);
  });
});

test('text that is no Unicode becomes Unicode', () => {
  expect(new Reader(written(w => w.string('a\ud800'))).string()).toBe('a\ufffd');
});

test('skip passes over exactly one item of any kind', () => {
  const big = new Uint8Array(300);
  const items: readonly ((w: Writer) => void)[] = [
    w => w.nil(),
    w => w.bool(true),
    ...integers.map(n => (w: Writer) => w.int(n)),
    w => w.float(1.5),
    w => w.string(''),
    w => w.string('x'.repeat(70_000)),
    w => w.bytes(big),
    w => w.ext(1, new Uint8Array(16)),
    w => w.ext(2, big),
    w => {
      w.array(20);
      for (let i = 0; i < 20; i++) w.int(i);
    },
    w => {
      w.map(1);
      w.string('k');
      w.array(1);
      w.map(0);
    },
  ];
  for (const item of items) {
    const r = new Reader(
      written(w => {
        item(w);
        w.int(42);
      }),
    );
    r.skip();
    expect(r.number()).toBe(42);
    expect(r.more).toBe(false);
  }
});

test('what is taken back was never written', () => {
  const w = new Writer();
  w.int(1);
  const before = w.length;
  w.string('gone');
  w.truncate(before);
  w.int(2);
  expect([...w.take()]).toEqual([1, 2]);
});
