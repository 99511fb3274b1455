import { describe, expect, test, vi } from 'vitest';

import { NodeClient } from '../src/create-client.ts';
import { ClientError, defineModel, f, type Client } from '../src/mod.ts';
import { committed, created, delta, done, failed, FakeNode, idOf, rows, settled, settledAs, status, rejections } from './fake-node.ts';

const Album = defineModel('album', { name: f.string(), year: f.int().optional() });

function start(): { node: FakeNode; client: Client } {
  const node = new FakeNode();
  const client = new NodeClient({ name: 'test', models: [Album], url: 'ws://x', token: 'secret' }, node.start);
  return { node, client };
}

async function open(): Promise<{ node: FakeNode; client: Client }> {
  const pair = start();
  await pair.node.open();
  return pair;
}

describe('the beginning', () => {
  test('hello comes first, with the models as data', async () => {
    const { node, client } = start();
    void client.ready().catch(() => {});
    await node.open();
    expect(node.sent.map(message => message.kind)).toEqual([1, 14]);
    expect(node.sent[0]?.fields.slice(1)).toEqual([
      'test',
      'ws://x',
      1,
      'secret',
      [['album', [['name', 'string', 'lww', false, null, '', []], ['year', 'int', 'lww', true, null, '', []]], []]],
    ]);
    expect(client.status.value).toMatchObject({ connection: 'connecting', storage: 'memory' });
  });

  test('what was asked before waits, and leaves in one frame', async () => {
    const { node, client } = start();
    void client.get(Album, idOf(1)).catch(() => {});
    client.query(Album, 'year = 1');
    void client.fetch(Album).catch(() => {});
    await settled();
    expect(node.frames).toEqual([]);
    await node.open();
    expect(node.frames.length).toBe(1);
    expect(node.log).toEqual(['subscribe', 'get', 'fetch']);
  });

  test('a hello that is refused fails everything, and says why', async () => {
    const { node, client } = start();
    const live = client.query(Album);
    const fetched = client.fetch(Album);
    fetched.catch(() => {});
    const events = vi.fn<() => void>();
    live.subscribe(events);
    node.say(failed(await node.connect(), 'invalid', 'open elsewhere'));
    await expect(fetched).rejects.toMatchObject({ code: 'invalid', message: 'open elsewhere' });
    expect(live.status).toBe('error');
    expect(live.error?.message).toBe('open elsewhere');
    expect(events).toHaveBeenCalledTimes(1);
    expect(client.status.value).toMatchObject({ connection: 'offline', error: { code: 'invalid' } });
    await expect(client.transact(() => {})).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('batching', () => {
  test('what one task asks leaves in one frame', async () => {
    const { node, client } = await open();
    node.frames.length = 0;
    void client.transact(tx => {
      void tx.create(Album, { name: 'a' });
      void tx.create(Album, { name: 'b', year: 1 });
      tx.edit(Album, idOf(1)).set({ year: null });
      tx.delete(Album, idOf(2));
      tx.restore(Album, idOf(3));
      void tx.create(Album, { name: 'c' });
    });
    await settled();
    expect(node.frames.length).toBe(1);
    expect(node.log).toEqual(['create', 'edit', 'mark', 'mark', 'create', 'commit']);
    expect(node.of('create')[0]?.fields.slice(1)).toEqual([1, 'album', ['name', 'year'], [['a', null], ['b', 1]]]);
    expect(node.of('edit')[0]?.fields).toEqual([1, 'album', ulid(1), ['year'], [null]]);
  });

  test('ten thousand creations are few messages', async () => {
    const { node, client } = await open();
    const rowsToCreate = Array.from({ length: 10_000 }, (_, i) => ({ name: `album ${i}`, year: i }));
    void client.transact(tx => {
      for (const row of rowsToCreate) void tx.create(Album, row);
    });
    await settled();
    expect(node.of('create').length).toBe(10);
    expect(node.of('create').flatMap(message => message.fields[4])).toHaveLength(10_000);
    expect(node.log.at(-1)).toBe('commit');
  });

  test('many creations of which one is wrong throw before anything is sent', async () => {
    const { node, client } = await open();
    const wrong = { name: 1 } as unknown as { name: string };
    const receipt = client.transact(tx => {
      expect(() => tx.createMany(Album, [{ name: 'a' }, wrong])).toThrow(expect.objectContaining({ code: 'schema' }));
      void tx.createMany(Album, []);
    });
    await settled();
    expect(node.log).toEqual(['commit']);
    node.say(committed(node.of('commit')[0]?.fields[0], idOf(1)));
    await receipt;
  });

  test('creations resolve with their rows', async () => {
    const { node, client } = await open();
    const seen: unknown[] = [];
    const receipt = client.transact(async tx => {
      const [one, many] = await Promise.all([
        tx.create(Album, { name: 'a' }),
        tx.createMany(Album, [{ name: 'b', year: 2 }, { name: 'c' }]),
      ]);
      seen.push(one, ...many);
    });
    await settled();
    const [one, many] = node.of('create').map(message => message.fields[0]);
    node.say(created(one, [idOf(1)]), created(many, [idOf(2), idOf(3)]));
    await settled();
    expect(seen).toEqual([
      { id: idOf(1), $sync: 'pending', name: 'a', year: null },
      { id: idOf(2), $sync: 'pending', name: 'b', year: 2 },
      { id: idOf(3), $sync: 'pending', name: 'c', year: null },
    ]);
    node.say(committed(node.of('commit')[0]?.fields[0], idOf(9)));
    await expect(receipt).resolves.toMatchObject({ id: idOf(9) });
  });
});

/** The bytes of the n-th id, as they arrive. */
const ulid = (n: number): unknown => expect.toSatisfy((value: unknown) => value instanceof Uint8Array && value[15] === n % 32);

describe('transactions', () => {
  test('a callback that throws rolls back', async () => {
    const { node, client } = await open();
    const thrown = new Error('mine');
    await expect(
      client.transact(tx => {
        void tx.create(Album, { name: 'a' });
        throw thrown;
      }),
    ).rejects.toBe(thrown);
    await settled();
    expect(node.log).toEqual(['create', 'rollback']);
  });

  test('a value that the model does not take throws where it is given, and rolls back', async () => {
    const { node, client } = await open();
    const wrong = { name: 1 } as unknown as { name: string };
    await expect(client.transact(tx => void tx.create(Album, wrong))).rejects.toMatchObject({ code: 'schema' });
    await expect(client.transact(tx => tx.edit(Album, idOf(1)).set(wrong))).rejects.toMatchObject({ code: 'schema' });
    await settled();
    expect(node.log).toEqual(['rollback', 'rollback']);
  });

  test('a creation that the node refuses rejects, and nobody has to listen', async () => {
    const { node, client } = await open();
    const receipt = client.transact(tx => {
      void tx.create(Album, { name: 'a' });
    });
    receipt.catch(() => {});
    await settled();
    node.say(
      failed(node.of('create')[0]?.fields[0], 'limit', 'too many'),
      failed(node.of('commit')[0]?.fields[0], 'limit', 'too many'),
    );
    await expect(receipt).rejects.toMatchObject({ code: 'limit' });
    await settled();
  });

  test('an edit of nothing sends nothing', async () => {
    const { node, client } = await open();
    void client.transact(tx => tx.edit(Album, idOf(1)).set({ name: undefined }));
    await settled();
    expect(node.log).toEqual(['commit']);
  });

  test('nothing works after the end', async () => {
    const { node, client } = await open();
    let late: (() => unknown) | undefined;
    const receipt = client.transact(tx => {
      late = () => tx.create(Album, { name: 'late' });
    });
    await settled();
    expect(() => late?.()).toThrow(expect.objectContaining({ code: 'closed' }));
    node.say(committed(node.of('commit')[0]?.fields[0], idOf(9)));
    await receipt;
  });

  test('reads inside name their transaction', async () => {
    const { node, client } = await open();
    void client.transact(async tx => {
      void tx.create(Album, { name: 'a' });
      const [one, list] = await Promise.all([tx.get(Album, idOf(1)), tx.query(Album, 'year > ?', [1])]);
      expect([one, list]).toEqual([{ id: idOf(1), $sync: 'synced', name: 'x', year: 1 }, [{ id: idOf(2), $sync: 'synced', name: 'y', year: null }]]);
    });
    await settled();
    expect(node.log).toEqual(['create', 'get', 'fetch']);
    const get = node.of('get')[0]?.fields;
    const fetch = node.of('fetch')[0]?.fields;
    expect([get?.[1], fetch?.[1]]).toEqual([1, 1]);
    node.say(
      rows(get?.[0], ['name', 'year'], [{ id: idOf(1), values: ['x', 1] }]),
      rows(fetch?.[0], ['name', 'year'], [{ id: idOf(2), values: ['y', null] }]),
    );
    await settled();
    expect(node.log).toEqual(['create', 'get', 'fetch', 'commit']);
  });
});

describe('receipts', () => {
  async function commit(node: FakeNode, client: Client, n: number): ReturnType<Client['transact']> {
    const receipt = client.transact(() => {});
    await settled();
    node.say(committed(node.of('commit').at(-1)?.fields[0], idOf(n)));
    return receipt;
  }

  test('synced resolves when the durable node has it, and rejects when it does not want it', async () => {
    const { node, client } = await open();
    const [fine, refused] = [await commit(node, client, 1), await commit(node, client, 2)];
    node.say(settledAs(idOf(2), ['denied', 'not yours']), settledAs(idOf(1)));
    await expect(fine.synced).resolves.toBeUndefined();
    await expect(refused.synced).rejects.toMatchObject({ code: 'denied', message: 'not yours' });
  });

  test('a refusal that nobody listens to is no unhandled rejection', async () => {
    const { node, client } = await open();
    const unhandled = vi.fn<(error: unknown) => void>();
    process.on('unhandledRejection', unhandled);
    await commit(node, client, 1);
    node.say(settledAs(idOf(1), ['denied', 'not yours']));
    await settled();
    await settled();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('an outcome that overtakes the answer is not lost', async () => {
    const { node, client } = await open();
    const receipt = client.transact(() => {});
    await settled();
    node.say(settledAs(idOf(5), ['denied', 'no']), committed(node.of('commit')[0]?.fields[0], idOf(5)));
    await expect((await receipt).synced).rejects.toMatchObject({ code: 'denied' });
  });

  test('refused transactions are a signal, until they are dismissed', async () => {
    const { node, client } = await open();
    node.say(rejections([idOf(1), 'denied', 'not yours', 1_700_000_000_000]));
    await vi.waitFor(() => expect(client.rejections.value).toHaveLength(1));
    expect(client.rejections.value).toEqual([
      { transaction: idOf(1), code: 'denied', message: 'not yours', time: new Date(1_700_000_000_000), changes: [] },
    ]);
    const dismissed = client.dismissRejection(idOf(1));
    await vi.waitFor(() => expect(node.of('dismiss')).toHaveLength(1));
    // What is read last counts, although what reads the first is loaded when that is gone.
    node.say(rejections([idOf(2), 'denied', 'nor this', 0]), rejections(), done(node.of('dismiss')[0]?.fields[0]));
    await dismissed;
    await settled();
    expect(client.rejections.value).toEqual([]);
    const all = client.dismissRejections();
    await vi.waitFor(() => expect(node.of('dismiss')).toHaveLength(2));
    expect(node.of('dismiss').map(({ fields }) => fields[1] === null)).toEqual([false, true]);
    node.say(done(node.of('dismiss')[1]?.fields[0]));
    await all;
  });

  test('a transaction is made in the place of a refused one', async () => {
    const { node, client } = await open();
    const receipts = [client.transact(() => {}, { replaces: idOf(1) }), client.transact(() => {})];
    await settled();
    expect(node.of('commit').map(({ fields }) => fields[2] === null)).toEqual([false, true]);
    for (const [i, { fields }] of node.of('commit').entries()) node.say(committed(fields[0], idOf(2 + i)));
    await Promise.all(receipts);
  });
});

describe('cancellation', () => {
  test('an aborted call rejects with the reason and is given up', async () => {
    const { node, client } = await open();
    const abort = new AbortController();
    const fetched = client.fetch(Album, '', undefined, { signal: abort.signal });
    await settled();
    abort.abort(new Error('changed my mind'));
    await expect(fetched).rejects.toThrow('changed my mind');
    await settled();
    expect(node.log).toEqual(['fetch', 'cancel']);
    node.say(rows(node.of('fetch')[0]?.fields[0], ['name'], [{ id: idOf(1), values: ['late'] }]));
  });

  test('a call that comes too late is not made', async () => {
    const { node, client } = await open();
    const signal = AbortSignal.abort(new Error('before'));
    await expect(client.get(Album, idOf(1), { signal })).rejects.toThrow('before');
    await expect(client.transact(() => {}, { signal })).rejects.toThrow('before');
    await expect(client.ready({ signal })).rejects.toThrow('before');
    expect(node.log).toEqual([]);
  });
});

describe('the end', () => {
  test('close rejects what waits, leaves results as they are, and lets the node go', async () => {
    const { node, client } = await open();
    const live = client.query(Album);
    const fetched = client.fetch(Album);
    const receipt = client.transact(() => {});
    fetched.catch(() => {});
    await settled();
    node.say(committed(node.of('commit')[0]?.fields[0], idOf(1)));
    const { synced } = await receipt;
    await client.close();
    await expect(fetched).rejects.toMatchObject({ code: 'closed' });
    await expect(synced).rejects.toMatchObject({ code: 'closed' });
    expect(node.closed).toBe(true);
    expect(live.status).toBe('loading');
    expect(client.query(Album, 'year = 2').error?.code).toBe('closed');
    await expect(client.fetch(Album)).rejects.toMatchObject({ code: 'closed' });
    await client.close();
  });

  test('a node that breaks fails everything that waits and everything after', async () => {
    const { node, client } = await open();
    const live = client.query(Album);
    const fetched = client.fetch(Album);
    fetched.catch(() => {});
    node.fail(new ClientError('internal', 'it crashed'));
    await expect(fetched).rejects.toMatchObject({ code: 'internal' });
    expect(live).toMatchObject({ status: 'error', error: { message: 'it crashed' } });
    expect(client.query(Album, 'year = 2').status).toBe('error');
    expect(client.status.value).toMatchObject({ connection: 'offline', error: { message: 'it crashed' } });
  });

  test('a frame that cannot be read is the end, in words', async () => {
    const { node, client } = await open();
    node.raw(Uint8Array.of(1, 0x92));
    expect(client.status.value.error).toMatchObject({ code: 'internal' });
    const other = await open();
    other.node.raw(Uint8Array.of(2));
    expect(other.client.status.value.error).toMatchObject({ code: 'version' });
  });

  test('another node takes over: queries are opened anew, what was under way rejects', async () => {
    const { node, client } = await open();
    const live = client.query(Album, 'year = 1');
    const fetched = client.fetch(Album);
    fetched.catch(() => {});
    let tx: { create: () => unknown } | undefined;
    let go = (): void => {};
    const receipt = client.transact(async transaction => {
      tx = { create: () => transaction.create(Album, { name: 'x' }) };
      await new Promise<void>(resolve => (go = resolve));
    });
    receipt.catch(() => {});
    await settled();
    node.say(delta(1, { reset: true, columns: ['name', 'year'], changes: [{ to: 0, id: idOf(1), values: ['a', 1] }] }));
    node.frames.length = 0;
    node.lose();
    expect(live).toMatchObject({ status: 'local', data: [{ name: 'a' }] });
    expect(client.status.value.connection).toBe('connecting');
    void client.get(Album, idOf(7)).catch(() => {});
    await settled();
    expect(node.log).toEqual([]);
    await node.open();
    await expect(fetched).rejects.toMatchObject({ code: 'closed' });
    expect(() => tx?.create()).toThrow(expect.objectContaining({ code: 'closed' }));
    go();
    await expect(receipt).rejects.toMatchObject({ code: 'closed' });
    await settled();
    expect(node.log).toEqual(['subscribe', 'get']);
    node.say(delta(2, { reset: true, columns: ['name', 'year'], changes: [{ to: 0, id: idOf(1), values: ['a', 2] }] }));
    expect(live).toMatchObject({ status: 'live', data: [{ year: 2 }] });
  });
});

describe('status', () => {
  test('is a signal that changes only when something in it does', async () => {
    const { node, client } = await open();
    const seen: unknown[] = [];
    client.status.subscribe(({ connection, pending, error }) => seen.push([connection, pending, error?.code]));
    node.say(status(1, 0));
    node.say(status(1, 0));
    node.say(status(1, 2));
    node.say(status(2, 2, ['offline', 'refused']));
    expect(seen).toEqual([
      ['connecting', 0, undefined],
      ['live', 0, undefined],
      ['live', 2, undefined],
      ['offline', 2, 'offline'],
    ]);
  });
});

describe('flow control', () => {
  test('the page says what it has taken in', async () => {
    const { node, client } = await open();
    const fetched = client.fetch(Album);
    await settled();
    const request = node.of('fetch')[0]?.fields[0];
    for (let i = 0; i < 4; i++) {
      node.say(rows(request, ['name', 'year'], [{ id: idOf(i), values: ['x'.repeat(50_000), i] }], i < 3));
    }
    await expect(fetched).resolves.toHaveLength(4);
    await settled();
    expect(node.of('received')).toHaveLength(1);
    expect(node.of('received')[0]?.fields[0]).toBeGreaterThan(150_000);
  });
});
