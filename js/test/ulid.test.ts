import { expect, test } from 'vitest';

import { ulidBytes, ulidText } from '../src/ulid.ts';
import { random } from './random.ts';

test('text and bytes stand for each other', () => {
  const { below, seed } = random();
  for (let i = 0; i < 500; i++) {
    const bytes = Uint8Array.from({ length: 16 }, () => below(256));
    const text = ulidText(bytes, 0);
    expect(text).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
    const back = new Uint8Array(20);
    ulidBytes(below(2) === 0 ? text : text.toLowerCase(), back, 2);
    expect([...back.subarray(2, 18)], `seed ${seed}`).toEqual([...bytes]);
  }
});

test('order of text is order of bytes', () => {
  expect(ulidText(new Uint8Array(16).fill(255), 0)).toBe('7ZZZZZZZZZZZZZZZZZZZZZZZZZ');
  expect(ulidText(new Uint8Array(16), 0)).toBe('0'.repeat(26));
});

test.each(['', 'x', '8ZZZZZZZZZZZZZZZZZZZZZZZZZ', '0000000000000000000000000U', '0'.repeat(27), '0000000000000000000000000é'])(
  '%j is no id',
  text => {
    expect(() => ulidBytes(text, new Uint8Array(16), 0)).toThrow(expect.objectContaining({ code: 'invalid' }));
  },
);
