import { expectTypeOf, test } from 'vitest';

import { and, defineModel, f, not, or, type Condition, type Infer, type Model, type Query, type SyncState } from '../src/mod.ts';

interface Meta {
  readonly genre?: string;
  readonly tracks: number;
  readonly live: boolean;
  readonly label: { readonly name: string; readonly city: string | null };
  readonly tags: readonly string[];
  readonly path: string;
}

const Artist = defineModel('artist', {
  name: f.string(),
  best: f.ref((): typeof Album => Album).optional(),
  mentor: f.ref((): typeof Artist => Artist).optional(),
});
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
  meta: f.json<Meta>().optional(),
  notes: f.json(),
  owner: f.id(),
  in: f.int(),
});

type Shape = typeof Album extends Model<infer P> ? P : never;

test('a query keeps its model, and so the type of its rows', () => {
  expectTypeOf(Album.where(a => a.year.gt(1985)).orderBy('name').limit(50)).toEqualTypeOf<Query<Model<Shape>>>();
  expectTypeOf<Infer<ReturnType<typeof Album.all>['model']>>().toEqualTypeOf<Infer<typeof Album>>();
  expectTypeOf<Infer<typeof Artist>>().toEqualTypeOf<{
    readonly id: string;
    readonly $sync: SyncState;
    readonly name: string;
    readonly best: string | null;
    readonly mentor: string | null;
  }>();
});

test('every type of property takes its own values', () => {
  Album.where(a => {
    expectTypeOf(a.year.eq(1)).toEqualTypeOf<Condition>();
    return and(
      a.id.in(['01']),
      a.$sync.in(['pending', 'refused']),
      a.name.like('a%'),
      a.name.ilike('a!%', '!'),
      a.plays.ge(5n).or(a.plays.lte(1n)),
      a.format.ne('vinyl'),
      a.released.lt(new Date()),
      a.cover.eq(new Uint8Array()),
      a.rating.between(1, 4.5),
      a.good.eq(true),
      a.year.notIn([1, 2]),
      a.year.isNull().not(),
      not(a.owner.eq('01')),
      or(a.in.eq(1), a.in.gt(a.year)),
    );
  });
  // @ts-expect-error no such property
  Album.where(a => a.yaer.gt(1));
  // @ts-expect-error no such state
  Album.where(a => a.$sync.eq('lost'));
  // @ts-expect-error a year is a number
  Album.where(a => a.year.gt('1985'));
  // @ts-expect-error a bigint is not a number
  Album.where(a => a.plays.gt(5));
  // @ts-expect-error not one of the texts
  Album.where(a => a.format.eq('tape'));
  // @ts-expect-error a moment is a Date
  Album.where(a => a.released.gt('2001-01-01'));
  // @ts-expect-error a list is for in
  Album.where(a => a.year.eq([1]));
  // @ts-expect-error of numbers
  Album.where(a => a.year.in(['1']));
  // @ts-expect-error both ends of the range
  Album.where(a => a.rating.between(1));
  // @ts-expect-error patterns are for text
  Album.where(a => a.year.like('19%'));
  // @ts-expect-error an id is no text
  Album.where(a => a.artist.like('01%'));
  // @ts-expect-error another type of field
  Album.where(a => a.year.eq(a.name));
  // @ts-expect-error a condition, not a truth value
  Album.where(a => a.year.gt(1) && true);
});

test('NULL is asked for by isNull', () => {
  const since: number | null = Math.random() > 0.5 ? null : 1;
  // @ts-expect-error nothing equals NULL
  Album.where(a => a.year.eq(null));
  // @ts-expect-error nothing differs from it
  Album.where(a => a.year.ne(null));
  // @ts-expect-error nor undefined
  Album.where(a => a.year.eq(undefined));
  // @ts-expect-error it may be null
  Album.where(a => a.year.gt(since));
  // @ts-expect-error nor in a list
  Album.where(a => a.year.in([1, null]));
  Album.where(a => since !== null && a.year.gt(since));
});

test('references lead to the properties of their model, through circles too', () => {
  Album.where(a => a.artist.name.eq('Muse'));
  Album.where(a => a.artist.best.artist.mentor.best.year.gt(2000));
  Album.where(a => a.artist.eq('01').and(a.artist.isNotNull()));
  Artist.where(a => a.mentor.mentor.name.like('M%'));
  Album.where(a => a.owner.path('name').eq('Ada'));
  // @ts-expect-error an artist has no year
  Album.where(a => a.artist.year.eq(1));
  // @ts-expect-error a name is a text
  Album.where(a => a.artist.name.eq(1));
  // @ts-expect-error what `in` means behind a reference
  Artist.where(a => a.best.in.eq(1));
  Artist.where(a => a.best.path('in').eq(1));
});

test('JSON leads to what lies under its keys', () => {
  Album.where(a => a.meta.genre.ilike('rock'));
  Album.where(a => a.meta.tracks.ge(10).and(a.meta.live.eq(false)));
  Album.where(a => a.meta.label.city.isNull());
  Album.where(a => a.meta.path('path').eq('x'));
  Album.where(a => a.notes.path('any', 'depth').gt(1));
  // @ts-expect-error no such key
  Album.where(a => a.meta.gener.eq('rock'));
  // @ts-expect-error a number
  Album.where(a => a.meta.tracks.eq('10'));
  // @ts-expect-error an object is compared by its keys
  Album.where(a => a.meta.label.eq('x'));
  // @ts-expect-error there are no keys in an array
  Album.where(a => a.meta.tags.length.eq(1));
});

test('orders are by properties and paths', () => {
  Album.orderBy('name').orderBy('year', 'desc').orderBy('id', { nulls: 'first' }).orderBy('rating', { direction: 'desc', nulls: 'last' });
  Album.orderBy('artist.name').orderBy('meta.genre').orderBy(a => a.artist.mentor.name, 'desc').orderBy(a => a.meta.label.city);
  // @ts-expect-error no such property
  Album.orderBy('yaer');
  // @ts-expect-error no such property of the artist
  Album.orderBy('artist.year');
  // @ts-expect-error a direction
  Album.orderBy('name', 'down');
  // @ts-expect-error a field, not a condition
  Album.orderBy(a => a.name.eq('x'));
  // @ts-expect-error a number of rows
  Album.limit('50');
});
