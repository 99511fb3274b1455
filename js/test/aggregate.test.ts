import { describe, expect, test } from 'vitest';

import { NodeClient } from '../src/create-client.ts';
import { aggregateKey, avg, ClientError, count, countDistinct, defineModel, f, max, min, sum, type Client } from '../src/mod.ts';
import { FakeNode, groups, settled, status } from './fake-node.ts';

const Album = defineModel('album', {
  name: f.string(),
  artist: f.string().optional(),
  year: f.int().optional(),
  plays: f.bigint().default(0n),
  meta: f.json().optional(),
});

async function open(): Promise<{ node: FakeNode; client: Client }> {
  const node = new FakeNode();
  const client = new NodeClient({ name: 'test', models: [Album], url: '' }, node.start);
  await node.open();
  return { node, client };
}

const byArtist = { groupBy: ['artist'], select: { albums: count(), last: max('year') } } as const;

describe('a live count', () => {
  test('asks for one number, and follows it', async () => {
    const { node, client } = await open();
    const unread = client.liveCount(Album, 'year > ?', [1985]);
    let told = 0;
    unread.subscribe(() => told++);
    await settled();
    expect(node.of('aggregate').map(({ fields }) => fields)).toEqual([[1, 'album', 'year > ?', [1985], [], [[0, '', false]]]]);
    expect(unread.getSnapshot()).toEqual({ data: undefined, status: 'loading', error: undefined });
    node.say(groups(1, { status: 'local', reset: true, groups: [['', 0]] }));
    expect(unread.getSnapshot()).toEqual({ data: 0, status: 'local', error: undefined });
    node.say(groups(1, { groups: [['', 1_000_000]] }));
    expect(unread.data).toBe(1_000_000);
    expect(told).toBe(2);
    const shown = unread.getSnapshot();
    node.say(groups(1, { groups: [['', 1_000_000]] }));
    expect(unread.getSnapshot()).toBe(shown);
  });

  test('is shared by who asks the same, and closed with the last', async () => {
    const { node, client } = await open();
    const lives = [
      client.liveCount(Album, 'year = ?', [1]),
      client.liveCount(Album, ' year  = ?', [1]),
      client.liveCount(Album.where(a => a.year.eq(1))),
    ];
    await settled();
    expect(node.of('aggregate')).toHaveLength(1);
    client.query(Album, 'year = ?', [1]); // rows are something else
    await settled();
    expect(node.log).toEqual(['aggregate', 'subscribe']);
    for (const live of lives) live.dispose();
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(node.log).toEqual(['aggregate', 'subscribe', 'unsubscribe']);
    expect(node.of('unsubscribe')[0]?.fields).toEqual([1]);
  });

  test('shows an error with what was last known, and is asked again of another node', async () => {
    const { node, client } = await open();
    const live = client.liveCount(Album);
    await settled();
    node.say(groups(1, { reset: true, groups: [['', 7]] }));
    node.say(groups(1, { status: 'error', error: ['denied', 'not yours'] }));
    expect(live.getSnapshot()).toMatchObject({ data: 7, status: 'error', error: { code: 'denied', message: 'not yours' } });
    node.lose();
    await node.open();
    expect(node.of('aggregate').at(-1)?.fields.slice(1)).toEqual(['album', '', null, [], [[0, '', false]]]);
    node.say(groups(2, { reset: true, groups: [['', 8]] }));
    expect(live.getSnapshot()).toEqual({ data: 8, status: 'live', error: undefined });
  });
});

describe('live groups', () => {
  test('are rows with the columns that were asked for, in order, and keep their identity', async () => {
    const { node, client } = await open();
    const live = client.liveAggregate(Album, byArtist);
    await settled();
    expect(node.of('aggregate')[0]?.fields.slice(4)).toEqual([['artist'], [[0, '', false], [3, 'year', false]]]);
    node.say(groups(1, { reset: true, groups: [['\u00f0', null, 1, null], ['0Muse', 'Muse', 2, 2001]] }));
    const [muse, none] = live.data;
    expect(live.data).toEqual([
      { id: '0Muse', artist: 'Muse', albums: 2, last: 2001 },
      { id: '\u00f0', artist: null, albums: 1, last: null },
    ]);
    node.say(groups(1, { more: true, groups: [['0Blur', 'Blur', 1, 1994]] }));
    expect(live.data).toHaveLength(2); // the rest is on its way
    node.say(groups(1, { groups: [['\u00f0', null, 2, null]] }));
    expect(live.data.map(row => row.artist)).toEqual(['Blur', 'Muse', null]);
    expect(live.data[1]).toBe(muse);
    expect(live.data[2]).not.toBe(none);
    node.say(groups(1, { groups: [['0Muse']] }));
    expect(live.data.map(row => row.artist)).toEqual(['Blur', null]);
    expect(Object.isFrozen(live.data) && Object.isFrozen(live.data[0])).toBe(true);
  });

  test('read each value as the property it is of', async () => {
    const { node, client } = await open();
    const live = client.liveAggregate(Album, {
      groupBy: ['meta.genre'],
      select: { plays: sum('plays'), years: sum('year'), mean: avg('year'), least: min('plays'), any: max('meta.n'), names: countDistinct('name') },
    });
    await settled();
    expect(node.of('aggregate')[0]?.fields.slice(4)).toEqual([
      ['meta.genre'],
      [[1, 'plays', false], [1, 'year', false], [4, 'year', false], [2, 'plays', false], [3, 'meta.n', false], [0, 'name', true]],
    ]);
    node.say(groups(1, { reset: true, groups: [['a', 'rock', 12, 4001, 2000.5, 1, true, 3], ['b', 2.5, null, null, null, null, 'x', 0]] }));
    expect(live.data).toEqual([
      { id: 'a', 'meta.genre': 'rock', plays: 12n, years: 4001, mean: 2000.5, least: 1n, any: true, names: 3 },
      { id: 'b', 'meta.genre': 2.5, plays: null, years: null, mean: null, least: null, any: 'x', names: 0 },
    ]);
  });

  test('are told apart by what is asked, by its names too', async () => {
    const { node, client } = await open();
    client.liveAggregate(Album, byArtist);
    client.liveAggregate(Album, { ...byArtist, where: '' });
    client.liveAggregate(Album, { ...byArtist, select: { n: count(), last: max('year') } });
    client.liveAggregate(Album, { ...byArtist, where: 'year > ?', params: [1] });
    client.liveAggregate(Album, { ...byArtist, where: Album.where(a => a.year.gt(1)) });
    await settled();
    expect(node.of('aggregate')).toHaveLength(3);
    expect(aggregateKey(Album, byArtist)).toBe(aggregateKey(Album, { ...byArtist, where: ' ' }));
  });

  test('that cannot be are refused', async () => {
    const { client } = await open();
    // @ts-expect-error there is no such property
    expect(() => client.liveAggregate(Album, { select: { n: sum('yeer') } })).toThrow(ClientError);
    // @ts-expect-error a text is not added up
    client.liveAggregate(Album, { select: { n: sum('name') } }).dispose();
    // @ts-expect-error there is no such property
    expect(() => client.liveAggregate(Album, { groupBy: ['nothing'], select: { n: count() } })).toThrow(/no property "nothing"/);
    expect(() => client.liveAggregate(Album, { select: { id: count() } })).toThrow(/names the group/);
    expect(() => client.liveAggregate(Album, { groupBy: ['artist'], select: { artist: count() } })).toThrow(/a name of its own/);
  });
});

describe('once', () => {
  test('waits for the durable node while it may answer', async () => {
    const { node, client } = await open();
    let answer: number | undefined;
    const asked = client.count(Album, 'year = 1').then(n => (answer = n));
    await settled();
    node.say(status(1, 0));
    node.say(groups(1, { status: 'local', reset: true, groups: [['', 3]] }));
    await settled();
    expect(answer).toBeUndefined();
    node.say(groups(1, { groups: [['', 5]] }));
    await asked;
    expect(answer).toBe(5);
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(node.log).toEqual(['aggregate', 'unsubscribe']);
  });

  test('takes what this device knows without a connection, now or from a later moment on', async () => {
    const { node, client } = await open();
    const asked = client.aggregate(Album, byArtist);
    await settled();
    node.say(groups(1, { status: 'local', reset: true, groups: [['a', 'Muse', 1, null]] }));
    await settled();
    node.say(status(2, 0));
    expect(await asked).toEqual([{ id: 'a', artist: 'Muse', albums: 1, last: null }]);
    const again = client.count(Album);
    await settled();
    node.say(groups(2, { status: 'local', reset: true, groups: [['', 1]] }));
    expect(await again).toBe(1);
  });

  test('rejects with why not, and when it is given up', async () => {
    const { node, client } = await open();
    const refused = client.count(Album, 'yeer = 1');
    await settled();
    node.say(groups(1, { status: 'error', error: ['selection', 'did you mean year?'], reset: true }));
    await expect(refused).rejects.toMatchObject({ code: 'selection' });
    const controller = new AbortController();
    const asked = client.aggregate(Album, byArtist, { signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await expect(client.count(Album, '', [], { signal: controller.signal })).rejects.toThrow('enough');
    await client.close();
    await expect(client.count(Album, 'year = 2')).rejects.toMatchObject({ code: 'closed' });
  });
});
