import { createRequire } from 'node:module';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type * as package_ from '../src/mod.ts';
import { DurableServer } from './durable-server.ts';

// The package as it is published, with the real program, in Node.js.

let server: DurableServer;
let built: typeof package_;

beforeAll(async () => {
  // Node.js 20 has no WebSocket of its own.
  globalThis.WebSocket ??= (createRequire(import.meta.url)('ws') as { WebSocket: typeof WebSocket }).WebSocket;
  built = (await import(new URL('../dist/mod.js', import.meta.url).href)) as typeof package_;
  server = await DurableServer.start();
});
afterAll(() => server?.stop());

const open: package_.Client[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(client => client.close()));
});

/** What the tests store: one model with every type of property, and one that it refers to. */
function models() {
  const { defineModel, f } = built;
  const Artist = defineModel('artist', { name: f.string() });
  const Album = defineModel('album', {
    name: f.text(),
    artist: f.ref(Artist).optional(),
    year: f.int().optional(),
    plays: f.bigint().default(0n),
    rating: f.float().default(0),
    good: f.bool().default(false),
    format: f.enum('cd', 'vinyl').default('cd'),
    released: f.time().optional(),
    cover: f.bytes().optional(),
    meta: f.json<{ tags?: readonly string[]; [key: string]: unknown }>().optional(),
  });
  return { Artist, Album };
}

async function connect(all: ReturnType<typeof models>): Promise<package_.Client> {
  const client = built.createClient({
    name: `node-${open.length}`,
    url: server.url,
    worker: false,
    storage: 'memory',
    models: [all.Artist, all.Album],
  });
  open.push(client);
  await client.ready();
  return client;
}

describe('in Node.js', () => {
  test('every type of value goes to the server and to another client', async () => {
    const all = models();
    const [one, two] = [await connect(all), await connect(all)];
    const values = {
      name: 'Größe 🎵',
      year: -42,
      plays: 9007199254740993n,
      rating: 4.5,
      good: true,
      format: 'vinyl',
      released: new Date('2001-06-18T12:34:56.789Z'),
      cover: Uint8Array.of(0, 1, 255),
      meta: { tags: ['rock', 'space'], ...(JSON.parse('{"__proto__":{"x":1},"deep":{"a":[1,null,1.5]}}') as object) },
    } as const;
    let id = '';
    const receipt = await one.transact(async tx => {
      const artist = await tx.create(all.Artist, { name: 'Muse' });
      id = (await tx.create(all.Album, { ...values, artist: artist.id })).id;
    });
    await receipt.synced;
    const album = await two.get(all.Album, id);
    expect(album).toEqual({ id, $sync: 'synced', ...values, artist: expect.any(String) });
    await expect(two.get(all.Artist, album.artist ?? '')).resolves.toMatchObject({ name: 'Muse' });
    await expect(two.fetch(all.Album, 'plays = ? AND released > ?', [9007199254740993n, new Date(0)])).resolves.toHaveLength(1);
  });

  test('live results of two clients stay in step, and a commit is seen when it resolves', async () => {
    const all = models();
    const [one, two] = [await connect(all), await connect(all)];
    const here = one.query(all.Album, 'year >= :since ORDER BY year DESC, name LIMIT 3', { since: 3000 });
    const there = two.query(all.Album, 'year >= ? ORDER BY year DESC, name LIMIT 3', [3000]);
    const ids: string[] = [];
    await one.transact(async tx => {
      const rows = await tx.createMany(all.Album, [3001, 3002, 3003, 3004, 2999].map(year => ({ name: `in ${year}`, year })));
      ids.push(...rows.map(row => row.id));
    });
    const years = (rows: readonly { readonly year: number | null }[]): readonly (number | null)[] => rows.map(row => row.year);
    expect(years(here.data)).toEqual([3004, 3003, 3002]);
    await expect.poll(() => years(there.data)).toEqual([3004, 3003, 3002]);
    const kept = there.data[1];
    await two.transact(tx => tx.delete(all.Album, ids[3] ?? ''));
    expect(years(there.data)).toEqual([3003, 3002, 3001]);
    expect(there.data[0]).toBe(kept);
    await expect.poll(() => years(here.data)).toEqual([3003, 3002, 3001]);
    await expect.poll(() => here.status).toBe('live');
    await one.transact(tx => tx.restore(all.Album, ids[3] ?? ''));
    expect(years(here.data)).toEqual([3004, 3003, 3002]);
  });

  test('a transaction reads its own writes, and a rollback leaves nothing', async () => {
    const all = models();
    const client = await connect(all);
    await expect(
      client.transact(async tx => {
        const album = await tx.create(all.Album, { name: 'only here', year: 4000 });
        tx.edit(all.Album, album.id).set({ year: 4001 });
        expect(await tx.query(all.Album, 'year > 3999')).toMatchObject([{ year: 4001 }]);
        expect(await client.fetch(all.Album, 'year > 3999')).toEqual([]);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await expect(client.fetch(all.Album, 'year > 3999')).resolves.toEqual([]);
  });

  test('errors have codes, and those of selections their place', async () => {
    const all = models();
    const client = await connect(all);
    await expect(client.fetch(all.Album, "name = '🎵' AND yaer > 1")).rejects.toMatchObject({
      code: 'selection',
      selection: { position: 16, line: 1, column: 17, hint: expect.stringContaining('year') },
    });
    const live = client.query(all.Album, 'year >');
    await expect.poll(() => live.status).toBe('error');
    expect(live.error).toMatchObject({ code: 'selection', selection: { position: 6 } });
    live.setSelection('year > 5000');
    await expect.poll(() => live.status).toBe('live');
    await expect(client.get(all.Album, '00000000000000000000000001')).rejects.toMatchObject({ code: 'not-found' });
    await expect(
      client.transact(tx => tx.edit(all.Album, '00000000000000000000000001').set({ year: 1 })),
    ).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a thousand rows and more come whole', async () => {
    const all = models();
    const client = await connect(all);
    const live = client.query(all.Artist, "name LIKE 'bulk %' ORDER BY name");
    await client.transact(tx => void tx.createMany(all.Artist, Array.from({ length: 1500 }, (_, i) => ({ name: `bulk ${String(i).padStart(4, '0')}` }))));
    expect(live.data).toHaveLength(1500);
    expect(live.data.map(artist => artist.name)).toEqual(live.data.map(artist => artist.name).sort());
    await expect(client.fetch(all.Artist, "name LIKE 'bulk %'")).resolves.toHaveLength(1500);
  });

  test('a client that was closed can be opened again in the same process', async () => {
    const all = models();
    const client = await connect(all);
    await client.close();
    await expect(client.fetch(all.Album)).rejects.toMatchObject({ code: 'closed' });
    const next = await connect(all);
    await expect(next.fetch(all.Album, 'year = 123456')).resolves.toEqual([]);
  });

  test('a client explains how a selection is read', async () => {
    const all = models();
    const client = await connect(all);
    await client.transact(async tx => {
      for (const year of [1999, 2001, 2003]) await tx.create(all.Album, { name: `explained ${year}`, year });
    });
    const explained = await client.explain(all.Album, "year > ? AND name LIKE 'explained%' ORDER BY name LIMIT 1", [2000]);
    expect(explained).toMatchObject({ method: 'scan', index: undefined, sorted: true, returned: 1, more: true });
    expect(explained.rows).toBeGreaterThanOrEqual(3);
    expect(explained.plan).toContain('read the collection');
    await expect(client.explain(all.Album, 'yaer > 2000')).rejects.toMatchObject({ code: 'selection' });
  });
});
