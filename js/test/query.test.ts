import { readFileSync, writeFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { pathText } from '../src/field.ts';
import { and, defineModel, f, not, or, queryKey, type Condition, type Field, type Params, type Selection } from '../src/mod.ts';
import { Writer } from '../src/msgpack.ts';
import { version, writeSubscribe } from '../src/wire.ts';
import { random, type Chance } from './random.ts';

const Artist = defineModel('artist', { name: f.string(), album: f.ref((): typeof Album => Album).optional() });
const Album = defineModel('album', {
  name: f.text(),
  artist: f.ref(Artist),
  year: f.int().optional(),
  plays: f.bigint().default(0n),
  format: f.enum('cd', 'vinyl').default('cd'),
  released: f.time().optional(),
  cover: f.bytes().optional(),
  rating: f.float(),
  good: f.bool(),
  meta: f.json<{ genre?: string; tracks: number; 'a key': { or: boolean }; eq: string }>().optional(),
  order: f.int(),
  Größe: f.int(),
  eq: f.int(),
});
type AlbumQuery = ReturnType<typeof Album.all>;

const id = '01HQ0000000000000000000000';

/** Each query beside the text that says the same. */
const pairs: readonly (readonly [name: string, built: AlbumQuery, text: string, params?: Params])[] = [
  ['everything', Album.all(), ''],
  ['readme', Album.where(a => a.year.gt(1985)).orderBy('name').limit(50), 'year > 1985 ORDER BY name LIMIT 50'],
  ['eq', Album.where(a => a.name.eq("Rock'n'Roll")), "name = 'Rock''n''Roll'"],
  ['ne', Album.where(a => a.year.ne(-1)), 'year <> -1'],
  ['lt le', Album.where(a => a.rating.lt(4.5).and(a.rating.le(4.5), a.rating.lte(4))), 'rating < 4.5 AND rating <= 4.5 AND rating <= 4'],
  ['gt ge', Album.where(a => a.rating.gt(1).and(a.rating.ge(2), a.rating.gte(3))), 'rating > 1 AND rating >= 2 AND rating >= 3'],
  ['between', Album.where(a => a.year.between(1990, 1999)), 'year BETWEEN 1990 AND 1999'],
  ['not between', Album.where(a => a.year.between(1990, 1999).not().and(a.good.eq(true))), 'NOT (year BETWEEN 1990 AND 1999) AND good'],
  ['in', Album.where(a => a.year.in([1, 2, 3])), 'year IN (1, 2, 3)'],
  ['in nothing', Album.where(a => a.year.in([])), 'year IN ()'],
  ['not in', Album.where(a => a.name.notIn(['a', 'b'])), "name NOT IN ('a', 'b')"],
  ['not of in', Album.where(a => not(a.name.in(['a', 'b']))), "name NOT IN ('a', 'b')"],
  ['like', Album.where(a => a.name.like('a\\%%_')), "name LIKE 'a\\%%_'"],
  ['like escape', Album.where(a => a.name.like('a!%%', '!')), "name LIKE 'a!%%' ESCAPE '!'"],
  ['like quote', Album.where(a => a.name.like("a'%%", "'")), "name LIKE 'a''%%' ESCAPE ''''"],
  ['ilike no escape', Album.where(a => a.name.ilike('A\\%', '')), "name ILIKE 'A\\%' ESCAPE ''"],
  ['not like', Album.where(a => a.name.like('a%').not()), "name NOT LIKE 'a%'"],
  ['null', Album.where(a => a.year.isNull().or(a.cover.isNotNull())), 'year IS NULL OR cover IS NOT NULL'],
  ['precedence', Album.where(a => or(a.year.eq(1), a.year.eq(2)).and(a.good.eq(true))), '(year = 1 OR year = 2) AND good = TRUE'],
  ['precedence not', Album.where(a => a.year.eq(1).and(a.good.eq(true)).not()), 'NOT (year = 1 AND good = TRUE)'],
  ['not not', Album.where(a => a.year.eq(1).not().not()), 'year = 1'],
  ['nested', Album.where(a => or(a.year.eq(1).and(or(a.year.eq(2), a.year.eq(3).not())), a.year.eq(4))), 'year = 1 AND (year = 2 OR NOT year = 3) OR year = 4'],
  ['flat', Album.where(a => a.year.eq(1).and(a.year.eq(2)).and(a.year.eq(3))), 'year = 1 AND year = 2 AND year = 3'],
  ['wheres', Album.where(a => a.year.eq(1).or(a.year.eq(2))).where(a => a.good.eq(false)), '(year = 1 OR year = 2) AND good = FALSE'],
  ['left out', Album.where(a => and(false, a.year.eq(1), null, '', undefined, 0)).where(() => false), 'year = 1'],
  ['and of nothing', Album.where(() => and()), ''],
  ['or of nothing', Album.where(() => or()), 'FALSE'],
  ['columns', Album.where(a => a.year.lt(a.order).or(a.rating.between(0, a.rating))), 'year < "order" OR rating BETWEEN 0 AND rating'],
  ['id', Album.where(a => a.id.eq(id).or(a.artist.in([id]))), 'id = ? OR artist IN (?)', [id, id]],
  ['reference', Album.where(a => a.artist.name.eq('Muse')), "artist.name = 'Muse'"],
  ['references', Album.where(a => a.artist.album.artist.name.isNull()), 'artist.album.artist.name IS NULL'],
  ['path', Album.where(a => a.artist.path('name', 'x').eq(1)), 'artist.name.x = 1'],
  ['sync', Album.where(a => a.$sync.ne('synced').and(a.year.gt(1))).orderBy(a => a.$sync), "$sync != 'synced' AND year > 1 ORDER BY $sync"],
  ['json', Album.where(a => a.meta.genre.ilike('rock').and(a.meta.tracks.ge(1.5))), "meta.genre ILIKE 'rock' AND meta.tracks >= 1.5"],
  ['json keys', Album.where(a => a.meta['a key'].or.eq(true).and(a.meta.path('eq').eq('x'))), 'meta."a key"."or" = TRUE AND meta.eq = \'x\''],
  ['names', Album.where(a => a.Größe.eq(1).and(a.order.eq(2), a.eq.eq(3))), 'Größe = 1 AND "order" = 2 AND eq = 3'],
  ['bigint', Album.where(a => a.plays.gt(9007199254740993n)), 'plays > 9007199254740993'],
  ['enum', Album.where(a => a.format.eq('vinyl')), "format = 'vinyl'"],
  ['time', Album.where(a => a.released.ge(new Date(1000))), 'released >= ?', [new Date(1000)]],
  ['bytes', Album.where(a => a.cover.eq(Uint8Array.of(0, 255))), 'cover = ?', [Uint8Array.of(0, 255)]],
  ['injection', Album.where(a => a.name.eq("' OR TRUE --")), 'name = ?', ["' OR TRUE --"]],
  ['order', Album.orderBy('year', 'desc').orderBy('name'), 'ORDER BY year DESC, name'],
  ['order nulls', Album.orderBy('year', { nulls: 'first' }).orderBy('rating', { direction: 'desc', nulls: 'last' }), 'ORDER BY year NULLS FIRST, rating DESC NULLS LAST'],
  ['order paths', Album.orderBy('artist.name').orderBy('meta.a key').orderBy(a => a.meta['a key'].or, 'desc').orderBy('order'), 'ORDER BY artist.name, meta."a key", meta."a key"."or" DESC, "order"'],
  ['limit', Album.limit(0), 'LIMIT 0'],
  ['last limit', Album.limit(5).limit(7), 'LIMIT 7'],
  ...Array.from({ length: 100 }, (_, i) => randomPair(random(i))),
];

/** A random query, and a text that is written quite differently: every term in parentheses, every value named. */
function randomPair(chance: Chance): readonly [string, AlbumQuery, string, Params] {
  const params: { [name: string]: number | string | readonly string[] } = {};
  const bind = (value: number | string | readonly string[]): string => {
    const name = `p${Object.keys(params).length}`;
    params[name] = value;
    return `:${name}`;
  };
  let text = '';
  const build = (a: { year: Field<number>; name: { like(p: string): Condition } & Field<string> }, depth: number): readonly [Condition, string] => {
    const value = chance.below(5) - 2;
    const kind = chance.below(depth > 3 ? 5 : 9);
    const terms = (): (readonly [Condition, string])[] => Array.from({ length: chance.below(4) }, () => build(a, depth + 1));
    switch (kind) {
      case 0:
        return [a.year.eq(value), `(year = ${bind(value)})`];
      case 1:
        return [a.year.between(value, 9), `((year >= ${bind(value)}) AND (year <= ${bind(9)}))`];
      case 2:
        return [a.name.notIn(['x', String(value)]), `(NOT (name IN ${bind(['x', String(value)])}))`];
      case 3:
        return [a.name.like(`${value}%`), `(name LIKE ${bind(`${value}%`)})`];
      case 4:
        return [a.year.isNotNull(), '(NOT (year IS NULL))'];
      case 5: {
        const [condition, written] = build(a, depth + 1);
        return [condition.not(), `(NOT ${written})`];
      }
      case 6:
      case 7: {
        const list = terms();
        return [and(...list.map(([condition]) => condition)), list.length === 0 ? '(TRUE)' : `(${list.map(([, written]) => written).join(' AND ')})`];
      }
      default: {
        const list = terms();
        return [or(...list.map(([condition]) => condition)), list.length === 0 ? '(FALSE)' : `(${list.map(([, written]) => written).join(' OR ')})`];
      }
    }
  };
  const query = Album.where(a => {
    const [condition, written] = build(a, 0);
    text = written;
    return condition;
  });
  return [`random ${chance.seed}`, query, text, params];
}

function frameOf(text: string, params: Params | undefined): string {
  const w = new Writer();
  w.byte(version);
  writeSubscribe(w, 1, 'album', text, params);
  return Buffer.from(w.take()).toString('hex');
}

// wasm/bridge/selection_test.go parses both frames of each line and compares the trees.
test('built and written selections are those that Go finds equal', () => {
  const file = new URL('../../wasm/bridge/testdata/selections.txt', import.meta.url);
  const lines = pairs.map(([name, built, text, params]) => [name, frameOf(text, params), frameOf(built.text, built.params)].join('\t'));
  const present = `${lines.join('\n')}\n`;
  if (process.env['REWRITE'] !== undefined) writeFileSync(file, present);
  expect(readFileSync(file, 'utf8')).toBe(present);
});

describe('a query', () => {
  test('has short text without a value in it, and parameters', () => {
    const { text, params, model } = Album.where(a => a.year.gt(1985).and(a.artist.name.in(['Muse']))).orderBy('name').limit(50);
    expect(text).toBe('year > ? AND artist.name IN ? ORDER BY name LIMIT 50');
    expect(params).toEqual([1985, ['Muse']]);
    expect(model).toBe(Album);
  });

  test('is frozen, and every method returns another', () => {
    const all = Album.all();
    const some = all.where(a => a.year.gt(1));
    expect(all.text).toBe('');
    expect(some).not.toBe(all);
    expect([some, some.params].every(Object.isFrozen)).toBe(true);
    const list = [1, 2];
    const within = Album.where(a => a.year.in(list));
    list.push(3);
    expect(within.params).toEqual([[1, 2]]);
  });

  test('is named by its structure', () => {
    const make = (year: number): AlbumQuery => Album.where(a => a.year.gt(year));
    expect(queryKey(make(1))).toBe(queryKey(make(1)));
    expect(queryKey(make(1))).not.toBe(queryKey(make(2)));
    expect(queryKey(make(1))).toBe(queryKey(Album, 'year > ?', [1]));
    const selection: Selection<typeof Album> = { model: Album, text: 'year > ?', params: [1] };
    expect(queryKey(selection)).toBe(queryKey(make(1)));
  });

  test.each<[string, () => unknown]>([
    ['eq', () => Album.where(a => a.year.eq(null as unknown as number))],
    ['undefined', () => Album.where(a => a.year.eq(undefined as unknown as number))],
    ['between', () => Album.where(a => a.year.between(1, null as unknown as number))],
    ['in', () => Album.where(a => a.year.in([null as unknown as number]))],
  ])('that compares with null is refused, with what to ask instead: %s', (_name, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'invalid', message: expect.stringMatching(/^year .*isNull\(\)/) }));
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 60])('limit(%s) is refused', count => {
    expect(() => Album.limit(count)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  test('fields are no promises, and can be shown', () => {
    Album.where(a => {
      expect(String((a.year as unknown as { [key: symbol]: unknown })[Symbol.toPrimitive])).toBe('undefined');
      return false;
    });
  });
});

test.each([
  ['name', 'name'],
  ['a-b_1', 'a-b_1'],
  ['Größe', 'Größe'],
  ['1a', '"1a"'],
  ['a b', '"a b"'],
  ['a"b', '"a""b"'],
  ['', '""'],
  ['Like', '"Like"'],
  ['nulls', '"nulls"'],
  ['lasting', 'lasting'],
])('the name %j is written %s', (name, text) => {
  expect(pathText(['x', name])).toBe(`x.${text}`);
});
