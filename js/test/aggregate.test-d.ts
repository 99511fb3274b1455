import { expectTypeOf, test } from 'vitest';

import { avg, count, countDistinct, defineModel, f, max, min, sum, type Client, type JsonValue, type Live } from '../src/mod.ts';

const Artist = defineModel('artist', { name: f.string() });
const Album = defineModel('album', {
  name: f.text(),
  artist: f.ref(Artist),
  year: f.int().optional(),
  plays: f.bigint().default(0n),
  format: f.enum('cd', 'vinyl').default('cd'),
  released: f.time().optional(),
  rating: f.float(),
  good: f.bool(),
  meta: f.json<{ genre?: string }>().optional(),
});

declare const client: Client;

test('groups have the types of the model', async () => {
  const rows = await client.aggregate(Album, {
    where: Album.where(a => a.year.gt(1985)),
    groupBy: ['artist', 'format', 'meta.genre'],
    select: {
      n: count(),
      named: count('name'),
      years: countDistinct('year'),
      plays: sum('plays'),
      total: sum('rating'),
      some: sum('meta.n'),
      mean: avg('plays'),
      first: min('released'),
      best: max('good'),
      last: max('id'),
      any: min('meta.x.y'),
    },
  });
  expectTypeOf(rows).toEqualTypeOf<
    readonly {
      readonly id: string;
      readonly artist: string | null;
      readonly format: 'cd' | 'vinyl' | null;
      readonly 'meta.genre': JsonValue;
      readonly n: number;
      readonly named: number;
      readonly years: number;
      readonly plays: bigint | null;
      readonly total: number | null;
      readonly some: number | null;
      readonly mean: number | null;
      readonly first: Date | null;
      readonly best: boolean | null;
      readonly last: string | null;
      readonly any: JsonValue;
    }[]
  >();
});

test('without groups there are no columns of groups', () => {
  const live = client.liveAggregate(Album, { select: { n: count() } });
  expectTypeOf(live).toEqualTypeOf<Live<readonly { readonly id: string; readonly n: number }[]>>();
  expectTypeOf(client.liveCount(Album, 'year > ?', [1])).toEqualTypeOf<Live<number | undefined>>();
  expectTypeOf(client.count(Album.where(a => a.good.eq(true)))).toEqualTypeOf<Promise<number>>();
});

test('what a model does not have, or what is no number, does not compile', () => {
  // @ts-expect-error no such property
  void client.aggregate(Album, { select: { n: count('nothing') } });
  // @ts-expect-error a text is not added up
  void client.aggregate(Album, { select: { n: sum('name') } });
  // @ts-expect-error nor is a time
  void client.aggregate(Album, { select: { n: avg('released') } });
  // @ts-expect-error what lies behind a reference is the predicate's
  void client.aggregate(Album, { groupBy: ['artist.name'], select: { n: count() } });
  // @ts-expect-error something is to be known
  void client.aggregate(Album, { groupBy: ['artist'] });
});
