import { bench, describe } from 'vitest';

import { NodeClient } from '../src/create-client.ts';
import { defineModel, f } from '../src/mod.ts';
import { Writer } from '../src/msgpack.ts';
import { version } from '../src/wire.ts';
import { delta, FakeNode, idOf, settled, type RowChange } from '../test/fake-node.ts';

// The page's share of a change: from the bytes of a frame to the array that React is given.

const Album = defineModel('album', { name: f.string(), artist: f.string(), year: f.int() });
const columns = ['name', 'artist', 'year'];
const everything = Album.orderBy('name');

const row = (n: number, year: number): RowChange & { readonly values: readonly unknown[] } => ({
  id: idOf(n),
  values: [`album ${n}`, `artist ${n % 100}`, year],
});

function frame(changes: readonly RowChange[], reset: boolean): Uint8Array {
  const w = new Writer();
  w.byte(version);
  delta(1, { reset, ...(reset && { columns }), changes })(w);
  return w.take();
}

for (const rows of [100, 10_000, 100_000]) {
  const node = new FakeNode();
  const client = new NodeClient({ name: 'bench', models: [Album], url: '' }, node.start);
  await node.open();
  const live = client.query(everything);
  live.subscribe(() => void live.data.length);
  await settled();
  node.raw(frame(Array.from({ length: rows }, (_, n) => ({ ...row(n, 2000), to: n })), true));
  if (live.data.length !== rows) throw new Error('the rows are not there');

  const middle = rows >> 1;
  const update = (year: number): Uint8Array => frame([{ ...row(middle, year), from: middle, to: middle }], false);
  const [odd, even] = [update(2001), update(2002)];
  const up = frame([{ ...row(middle, 2003), from: middle, to: 0 }], false);
  const down = frame([{ ...row(middle, 2004), from: 0, to: middle }], false);
  let turn = 0;
  describe(`one change in a sorted live result of ${rows.toLocaleString('en')} rows`, () => {
    bench('a row changes in its place', () => node.raw(turn++ % 2 === 0 ? even : odd));
    bench('a row moves, and back', () => {
      node.raw(up);
      node.raw(down);
    });
  });
}
