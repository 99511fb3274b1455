import { createRequire } from 'node:module';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type * as package_ from '../src/mod.ts';
import type * as presence_ from '../src/presence.ts';
import { DurableServer } from './durable-server.ts';

// The package as it is published, with the real program, in Node.js.

let server: DurableServer;
let built: typeof package_;
let presence: typeof presence_;

beforeAll(async () => {
  // Node.js 20 has no WebSocket of its own.
  globalThis.WebSocket ??= (createRequire(import.meta.url)('ws') as { WebSocket: typeof WebSocket }).WebSocket;
  built = (await import(new URL('../dist/mod.js', import.meta.url).href)) as typeof package_;
  presence = (await import(new URL('../dist/presence.js', import.meta.url).href)) as typeof presence_;
  server = await DurableServer.start();
});
afterAll(() => server?.stop());

const open: package_.Client[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(client => client.close()));
});

function connect(url: string = server.url): package_.Client {
  const client = built.createClient({ name: `presence-${open.length}`, url, worker: false, storage: 'memory', models: [] });
  open.push(client);
  return client;
}

type Person = { name: string; at?: { x: number; y: number }; picture?: Uint8Array };

/** Resolves when a room is as it is to be. */
function until(room: presence_.WatchedRoom<Person>, check: (snapshot: presence_.RoomSnapshot<Person>) => boolean): Promise<void> {
  return new Promise(resolve => {
    let stop: (() => void) | undefined;
    let done = false;
    stop = room.snapshot.subscribe(snapshot => {
      if (done || !check(snapshot)) return;
      done = true;
      resolve();
      queueMicrotask(() => stop?.());
    });
  });
}

const sees =
  (...names: readonly string[]) =>
  ({ status, others }: presence_.RoomSnapshot<Person>): boolean =>
    status === 'live' && others.map(({ state }) => state.name).sort().join() === [...names].sort().join();

describe('presence', () => {
  test('clients in a room see each other, and what each says of itself', async () => {
    const [one, two] = [connect(), connect()];
    const matt = presence.enterRoom<Person>(one, 'lobby', { name: 'matt' });
    const dom = presence.enterRoom<Person>(two, 'lobby', { name: 'dom', picture: Uint8Array.of(1, 2) });
    const watching = presence.watchRoom<Person>(connect(), 'lobby');
    await Promise.all([until(matt, sees('dom')), until(dom, sees('matt')), until(watching, sees('dom', 'matt'))]);
    expect(matt.snapshot.peek().others[0]?.state).toEqual({ name: 'dom', picture: Uint8Array.of(1, 2) });
    expect(matt.snapshot.peek().others[0]?.id).toBe(dom.snapshot.peek().self);
    expect(watching.snapshot.peek().self).toBeUndefined();

    matt.set({ at: { x: 1, y: 0.5 } });
    await until(dom, ({ others }) => others[0]?.state.at?.y === 0.5);
    const before = dom.snapshot.peek().others[0];
    expect(before?.state).toEqual({ name: 'matt', at: { x: 1, y: 0.5 } });
    expect(before?.since).toBeInstanceOf(Date);
    for (let x = 0; x <= 500; x++) matt.set({ at: { x, y: 1 } });
    await until(dom, ({ others }) => others[0]?.state.at?.x === 500);

    dom.leave();
    await Promise.all([until(matt, sees()), until(watching, sees('matt'))]);
    matt.leave();
    await until(watching, sees());
  });

  test('a tab that enters twice, and leaves and enters at once, is one member that never left', async () => {
    const client = connect();
    const watching = presence.watchRoom<Person>(connect(), 'studio');
    const first = presence.enterRoom<Person>(client, 'studio', { name: 'matt' });
    await until(watching, sees('matt'));
    const seen: number[] = [];
    const stop = watching.snapshot.subscribe(({ others }) => seen.push(others.length));
    const own = presence.watchRoom<Person>(client, 'studio');
    expect(own.snapshot.peek().others).toEqual([]);
    first.leave();
    first.leave();
    const second = presence.enterRoom<Person>(client, 'studio', { name: 'bellamy' });
    await until(watching, sees('bellamy'));
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(new Set(seen)).toEqual(new Set([1]));
    stop();
    second.leave();
    await until(watching, sees());
    own.leave();
  });

  test('what is no state is refused where it is said', async () => {
    const room = presence.enterRoom<Person>(connect(), 'lobby', { name: 'matt' });
    await until(room, sees());
    expect(() => room.set({ at: { x: Number.NaN, y: 0 } })).toThrow(expect.objectContaining({ code: 'schema' }));
    room.set({ name: 'x'.repeat(5000) });
    await until(room, ({ status, error }) => status === 'refused' && error?.code === 'too-large');
  });

  test('without a connection a room waits', async () => {
    const client = connect('');
    const room = presence.enterRoom<Person>(client, 'lobby', { name: 'matt' });
    await until(room, ({ self }) => self !== undefined);
    expect(room.snapshot.peek()).toMatchObject({ status: 'waiting', others: [], error: undefined });
  });
});
