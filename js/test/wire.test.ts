import { describe, expect, test } from 'vitest';

import { aggregationOf, countOf } from '../src/aggregate.ts';
import {
  readExplanation,
  readHistory,
  readRejections,
  writeAsOf,
  writeDismiss,
  writeExplain,
  writeHistory,
  writeRetry,
} from '../src/inspection.ts';
import { avg, count, defineModel, f, max, type AnyModel } from '../src/mod.ts';
import { Writer } from '../src/msgpack.ts';
import { writeParams } from '../src/params.ts';
import { here, readMembers, writeAttend } from '../src/presence-frames.ts';
import { formatOf } from '../src/row.ts';
import { ulidText } from '../src/ulid.ts';
import { readValue } from '../src/value.ts';
import * as wire from '../src/wire.ts';
import { golden } from './golden.ts';

/** The entity ids of the golden file (wasm/frame/frame_test.go). */
function entity(n: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n) << 32n);
  bytes.set([n, 1, 2, 3, 4, 5, 6, 7], 8);
  return ulidText(bytes, 0);
}

const Album = defineModel('album', {
  name: f.text().optional(),
  year: f.int().optional(),
  plays: f.bigint().optional(),
  rating: f.float().optional(),
  good: f.bool().optional(),
  cover: f.bytes().optional(),
  artist: f.ref('artist').optional(),
  meta: f.json().optional(),
});

const aggregation = aggregationOf(Album, { groupBy: ['name'], select: { n: count(), mean: avg('rating'), last: max('artist') } });

const document: object = JSON.parse('{"__proto__":{"x":1},"genre":"rock","tags":["a",null,1.5,-3,false]}');

const presence = { name: 'Größe', typing: true, x: 0.5, n: -3, none: null, bytes: Uint8Array.of(0, 255), meta: { tags: ['a', null] } };

const full = {
  name: 'Größe 🎵',
  year: 2001,
  plays: 9007199254740993n,
  rating: 4.5,
  good: true,
  cover: Uint8Array.of(0, 255),
  artist: entity(7),
  meta: document,
};
const empty = { name: null, year: null, plays: null, rating: null, good: null, cover: null, artist: null, meta: null };
const negative = {
  name: '',
  year: -1,
  plays: -9223372036854775808n,
  rating: -0.25,
  good: false,
  cover: new Uint8Array(),
  artist: entity(0),
  meta: [],
};

const Registered = defineModel(
  'album',
  {
    name: f.text(),
    artist: f.ref('artist'),
    year: f.int().optional(),
    format: f.enum('cd', 'vinyl').default('cd'),
  },
  { indexes: [['artist', 'year DESC'], { unique: ['name'] }] },
);

const requests: readonly (readonly [string, (w: Writer) => void])[] = [
  [
    'hello',
    w => wire.writeHello(w, 1, { name: 'my-app', url: 'ws://localhost:9797/ws', storage: 'memory', token: 'secret', models: [Registered] }),
  ],
  ['hello-least', w => wire.writeHello(w, 1, { name: 'x', url: '', storage: 'indexeddb', token: undefined, models: [] })],
  ['subscribe', w => wire.writeSubscribe(w, 3, 'album', 'year > ? AND artist IN ?', [1985, ['Muse', null, 1.5]])],
  ['subscribe-named', w => wire.writeSubscribe(w, 300, 'album', 'year > :since', { since: -5, of: [] })],
  ['unsubscribe', w => wire.writeUnsubscribe(w, 70_000)],
  ['fetch', w => wire.writeFetch(w, 2, 4, 'album', '', undefined)],
  ['get', w => wire.writeGet(w, 5, 0, 'album', entity(9))],
  ['explain', w => writeExplain(w, 12, 'album', 'year > ?', [1985], writeParams)],
  [
    'create',
    w => {
      const rows = new Writer();
      for (const row of [full, empty, negative]) formatOf(Album).writeCreation(rows, row);
      wire.writeCreate(w, 6, 4, Album, 3, rows.peek());
    },
  ],
  [
    'edit',
    w => {
      const fields = new Writer();
      formatOf(Album).writeEdit(fields, { name: 'long '.repeat(80), year: undefined });
      wire.writeEdit(w, 4, 'album', entity(9), fields.peek());
    },
  ],
  ['delete', w => wire.writeMark(w, 4, 'album', entity(9), true)],
  ['restore', w => wire.writeMark(w, 4, 'album', entity(9), false)],
  ['commit', w => wire.writeCommit(w, 7, 4)],
  ['commit-replacing', w => wire.writeCommit(w, 7, 4, entity(3))],
  ['rollback', w => wire.writeRollback(w, 4)],
  ['cancel', w => wire.writeCancel(w, 7)],
  ['dismiss', w => writeDismiss(w, 8, entity(3))],
  ['dismiss-all', w => writeDismiss(w, 8, undefined)],
  ['token', w => wire.writeToken(w, 9, 'other')],
  ['token-none', w => wire.writeToken(w, 9, undefined)],
  ['subscribe-window', w => wire.writeSubscribe(w, 4, 'album', 'ORDER BY name', undefined, { anchor: 'start', before: 0, after: 50 })],
  ['move', w => wire.writeMove(w, 4, { anchor: { cursor: 'lAHP_-0' }, before: 20, after: 1000 })],
  ['move-end', w => wire.writeMove(w, 4, { anchor: 'end', before: 20, after: 0 })],
  ['move-entity', w => wire.writeMove(w, 4, { anchor: { entity: entity(9) }, before: 1, after: 2 })],
  ['move-index', w => wire.writeMove(w, 4, { anchor: { index: 70_000 }, before: 0, after: 2 })],
  ['move-none', w => wire.writeMove(w, 4, undefined)],
  ['select', w => wire.writeSelect(w, 4, 'year = ?', [1985], { anchor: 'start', before: 3, after: 0 })],
  ['select-plain', w => wire.writeSelect(w, 4, '', undefined, undefined)],
  ['history', w => writeHistory(w, 12, 'album', entity(9), { before: entity(5), limit: 50 })],
  ['history-all', w => writeHistory(w, 12, 'album', entity(9), {})],
  ['as-of', w => writeAsOf(w, 13, 'album', entity(9), [entity(3), entity(4)])],
  ['as-of-time', w => writeAsOf(w, 13, 'album', entity(9), new Date(1_700_000_000_123))],
  ['retry', w => writeRetry(w, 14, entity(3))],
  ['locate', w => wire.writeLocate(w, 11, 'album', 'ORDER BY name', undefined, 50_000)],
  [
    'aggregate',
    w =>
      wire.writeAggregate(w, 9, 'album', 'year > ?', [1985], {
        groupBy: ['artist', 'meta.genre'],
        columns: [
          { function: 0, path: '', distinct: false },
          { function: 1, path: 'plays', distinct: false },
          { function: 0, path: 'name', distinct: true },
        ],
      }),
  ],
  ['aggregate-least', w => wire.writeAggregate(w, 10, 'album', '', undefined, countOf(Album))],
  ['network', w => wire.writeNetwork(w, true)],
  ['network-none', w => wire.writeNetwork(w, false)],
  ['attend', w => writeAttend(w, 12, 'album/1', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2), here, presence)],
  ['attend-away', w => writeAttend(w, 12, 'album/1', undefined, 1, undefined)],
  ['await', w => wire.writeAwait(w, 10)],
  ['received', w => wire.writeReceived(w, 5_000_000_000)],
];

/** What a golden answer decodes to: the calls of the inbox. */
function decode(name: string): unknown[] {
  const calls: unknown[] = [];
  const note =
    (call: string) =>
    (...args: readonly unknown[]): void => {
      calls.push([call, ...args]);
    };
  wire.readFrame(golden.get(name) ?? new Uint8Array(), {
    done: note('done'),
    failed: note('failed'),
    opened: note('opened'),
    modelOf: (): AnyModel => Album,
    rows: note('rows'),
    created: note('created'),
    committed: note('committed'),
    query: query => ({
      model: Album,
      reader: undefined,
      aggregation,
      apply: delta => calls.push(['delta', query, delta]),
      applyGroups: delta => calls.push(['groups', query, delta]),
    }),
    status: note('status'),
    settled: note('settled'),
    rejections: (count, fields) => calls.push(['rejections', readRejections(fields, count, [Album], readValue)]),
    located: note('located'),
    members: fields => calls.push(['members', fields.number(), readMembers(fields)]),
    inspected: (request, fields) =>
      calls.push(
        name.startsWith('explained')
          ? ['explained', request, readExplanation(fields)]
          : ['revisions', request, readHistory(fields, Album, readValue)],
      ),
  });
  return calls;
}

const error = (code: string, message: string, selection?: object): unknown =>
  expect.objectContaining({ name: 'ClientError', code, message, selection });

/** A row of which only name and year were sent. */
const short = (id: number, name: string, year: number | null, $sync = 'synced'): object => ({ ...empty, id: entity(id), $sync, name, year });

const answers: readonly (readonly [string, unknown[]])[] = [
  ['done', ['done', 8]],
  [
    'failed',
    ['failed', 2, error('selection', 'expected a property, got "yaer"', { position: 12, line: 1, column: 13, hint: 'did you mean "year"?' })],
  ],
  ['failed-plain', ['failed', 2, error('offline', 'no connection')]],
  ['opened', ['opened', 1, 'memory', error('storage', 'IndexedDB is unavailable')]],
  [
    'rows',
    ['rows', 2, [{ id: entity(1), $sync: 'synced', ...full }, { id: entity(2), $sync: 'pending', ...empty }, { id: entity(3), $sync: 'synced', ...negative }], true],
  ],
  ['rows-none', ['rows', 2, [], false]],
  ['created', ['created', 6, [entity(1), entity(2)]]],
  ['committed', ['committed', 7, entity(3)]],
  ['located', ['located', 11, 'lAHP_-0', 49_999]],
  ['located-none', ['located', 11, undefined, 0]],
  [
    'explained',
    [
      'explained',
      12,
      {
        plan: 'walk 1 ranges of index year, keep where live = TRUE',
        method: 'index',
        index: 'year',
        ranges: 1,
        sorted: true,
        residual: 'live = TRUE',
        entries: 40,
        rows: 39,
        returned: 7,
        more: true,
        milliseconds: 1.234,
      },
    ],
  ],
  [
    'explained-none',
    [
      'explained',
      12,
      {
        plan: 'nothing can match',
        method: 'nothing',
        index: undefined,
        ranges: 0,
        sorted: false,
        residual: undefined,
        entries: 0,
        rows: 0,
        returned: 0,
        more: false,
        milliseconds: 0,
      },
    ],
  ],
  [
    'delta',
    [
      'delta',
      3,
      {
        more: true,
        status: 'local',
        error: undefined,
        reset: true,
        changes: [
          { from: -1, to: 0, row: short(1, 'a', null) },
          { from: -1, to: 40, row: short(2, 'b', 1, 'pending') },
          { from: 7, to: 7, row: { id: entity(4), $sync: 'refused' }, same: true },
          { from: 700, to: 2, row: short(3, 'c', 2) },
          { from: 70_000, to: -1, row: undefined },
        ],
        window: undefined,
      },
    ],
  ],
  [
    'delta-window',
    [
      'delta',
      4,
      {
        more: false,
        status: 'live',
        error: undefined,
        reset: false,
        changes: [],
        window: { anchor: 20, hasBefore: true, hasAfter: false, first: 'lAHP_-0', last: 'lAHP_-1', position: 'lAHP_-2' },
      },
    ],
  ],
  [
    'delta-window-start',
    [
      'delta',
      4,
      {
        more: false,
        status: 'live',
        error: undefined,
        reset: false,
        changes: [],
        window: { anchor: 0, hasBefore: false, hasAfter: true, first: undefined, last: undefined, position: undefined },
      },
    ],
  ],
  [
    'delta-error',
    ['delta', 3, { more: false, status: 'error', error: error('denied', 'access denied'), reset: false, changes: [], window: undefined }],
  ],
  [
    'groups',
    [
      'groups',
      9,
      {
        more: true,
        status: 'local',
        error: undefined,
        reset: true,
        groups: [
          { id: '\u0030Muse\u0000\u0001', row: { id: '\u0030Muse\u0000\u0001', name: 'Muse', n: 3, mean: 5.5, last: null } },
          { id: '\u00f0', row: { id: '\u00f0', name: null, n: 1, mean: 2, last: entity(7) } },
          { id: '\u0010', row: undefined },
        ],
      },
    ],
  ],
  [
    'members',
    [
      'members',
      12,
      {
        status: 'live',
        error: undefined,
        self: entity(9),
        reset: true,
        changed: [
          { id: entity(1), user: 'matt', since: new Date(1_700_000_000_123), state: presence },
          { id: entity(2), user: undefined, since: new Date(0), state: {} },
        ],
        left: [entity(3)],
      },
    ],
  ],
  [
    'members-refused',
    ['members', 12, { status: 'refused', error: error('denied', 'not yours'), self: undefined, reset: false, changed: [], left: [] }],
  ],
  ['groups-error', ['groups', 9, { more: false, status: 'error', error: error('limit', 'too many groups'), reset: false, groups: [] }]],
  ['status', ['status', { connection: 'offline', pending: 12, ready: true, error: error('offline', 'refused') }]],
  ['status-live', ['status', { connection: 'live', pending: 0, ready: false, error: undefined }]],
  ['settled', ['settled', entity(3), undefined]],
  ['settled-refused', ['settled', entity(3), error('denied', 'not yours')]],
  [
    'rejections',
    [
      'rejections',
      [
        {
          transaction: entity(3),
          code: 'denied',
          message: 'not yours',
          time: new Date(1_700_000_000_123),
          changes: [
            { collection: 'album', id: entity(1), kind: 'create', values: { name: 'a', year: 2001 } },
            { collection: 'album', id: entity(2), kind: 'delete', values: {} },
          ],
        },
      ],
    ],
  ],
  [
    'revisions',
    [
      'revisions',
      12,
      {
        revisions: [
          {
            id: entity(5),
            time: new Date(1_700_000_000_123),
            author: entity(9),
            user: 'matt',
            parents: [entity(3), entity(4)],
            pending: false,
            deleted: true,
            changes: { year: { before: 2000, after: 2001 } },
          },
          {
            id: entity(3),
            time: new Date(1_600_000_000_000),
            author: entity(9),
            user: undefined,
            parents: [],
            pending: true,
            deleted: undefined,
            changes: { name: { before: null, after: 'a' } },
          },
        ],
        next: entity(3),
      },
    ],
  ],
  ['revisions-none', ['revisions', 12, { revisions: [], next: undefined }]],
];

describe('the frame protocol is that of wasm/frame', () => {
  test.each(requests)('writes %s', (name, write) => {
    const w = new Writer();
    w.byte(wire.version);
    write(w);
    expect(Buffer.from(w.take()).toString('hex')).toBe(Buffer.from(golden.get(name) ?? []).toString('hex'));
  });

  test.each(answers)('reads %s', (name, call) => {
    expect(decode(name)).toEqual([call]);
  });

  test('every golden message is written or read here', () => {
    expect([...requests, ...answers].map(([name]) => name).sort()).toEqual([...golden.keys()].sort());
  });

  test('all answers in one frame are read in order', () => {
    const w = new Writer();
    w.byte(wire.version);
    for (const [name] of answers) w.raw((golden.get(name) ?? new Uint8Array()).subarray(1));
    const seen: number[] = [];
    const see = (n: number) => (): void => void seen.push(n);
    wire.readFrame(w.take(), {
      done: see(32),
      failed: see(33),
      opened: see(34),
      modelOf: () => undefined,
      rows: see(35),
      created: see(36),
      committed: see(37),
      query: () => undefined,
      status: see(39),
      settled: see(40),
      rejections: see(41),
      located: see(43),
      members: see(50),
      inspected: see(44),
    });
    expect(seen).toEqual([32, 33, 33, 34, 36, 37, 43, 43, 44, 44, 50, 50, 39, 39, 40, 40, 41, 44, 44]);
  });

  test('another version is refused in words', () => {
    const inbox = {} as wire.Inbox;
    expect(() => wire.readFrame(Uint8Array.of(wire.version + 1), inbox)).toThrow(
      expect.objectContaining({ code: 'version' }),
    );
  });

  test('a truncated frame throws', () => {
    const frame = golden.get('rows') ?? new Uint8Array();
    for (let length = 2; length < frame.length; length++) {
      expect(() => {
        wire.readFrame(frame.subarray(0, length), { modelOf: () => Album, rows: () => {} } as unknown as wire.Inbox);
      }).toThrow();
    }
  });
});

describe('values', () => {
  // 170, 171
  test('JSON with a __proto__ key stays an object without another prototype', () => {
    const [row] = (decode('rows')[0] as [string, number, { meta: object }[]])[2];
    expect(Object.getPrototypeOf(row?.meta)).toBe(Object.prototype);
    expect(Object.keys(row?.meta ?? {})).toEqual(['__proto__', 'genre', 'tags']);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test('rows are frozen, JSON in them too', () => {
    const [row] = (decode('rows')[0] as [string, number, { meta: object }[]])[2];
    expect(Object.isFrozen(row)).toBe(true);
    expect(Object.isFrozen(row?.meta)).toBe(true);
  });

  test.each([
    ['name', 1],
    ['year', 1.5],
    ['year', 2 ** 53],
    ['year', '1'],
    ['plays', 2n ** 63n],
    ['rating', Number.NaN],
    ['good', 0],
    ['cover', [1]],
    ['artist', 'Muse'],
    ['meta', { f: () => {} }],
    ['meta', { n: Number.NaN }],
  ])('%s refuses %s', (name, value) => {
    const format = formatOf(Album);
    expect(() => format.writeEdit(new Writer(), { [name]: value })).toThrow(expect.objectContaining({ name: 'ClientError' }));
  });

  test('a creation must have every required property, and no unknown one', () => {
    const format = formatOf(Registered);
    const write = (values: { [name: string]: unknown }) => () => format.writeCreation(new Writer(), values);
    expect(write({ name: 'x' })).toThrow('album.artist takes ref, not undefined');
    expect(write({ name: 'x', artist: entity(1), nome: 'x' })).toThrow('album has no property "nome"');
    expect(write({ name: 'x', artist: entity(1), format: 'mp3' })).toThrow('album.format takes one of cd, vinyl, not "mp3"');
    expect(write({ name: 'x', artist: entity(1) })).not.toThrow();
  });

  test('what a creation left out is in the row that it returns', () => {
    const row = formatOf(Registered).created(entity(5), { name: 'x', artist: entity(1) });
    expect(row).toEqual({ id: entity(5), $sync: 'pending', name: 'x', artist: entity(1), year: null, format: 'cd' });
  });
});
