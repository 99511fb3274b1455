import { expectTypeOf, test } from 'vitest';

import {
  defineModel,
  f,
  type Client,
  type CreateInput,
  type Infer,
  type LiveResult,
  type SetInput,
} from '../src/mod.ts';

const Artist = defineModel('artist', { name: f.string() });
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
  meta: f.json<{ genre?: string }>().optional(),
});

test('a row has exactly the types of its properties', () => {
  expectTypeOf<Infer<typeof Album>>().toEqualTypeOf<{
    readonly id: string;
    readonly $sync: 'pending' | 'synced' | 'refused';
    readonly name: string;
    readonly artist: string;
    readonly year: number | null;
    readonly plays: bigint;
    readonly format: 'cd' | 'vinyl';
    readonly released: Date | null;
    readonly cover: Uint8Array | null;
    readonly rating: number;
    readonly good: boolean;
    readonly meta: { genre?: string } | null;
  }>();
});

test('create needs what is neither optional nor has a default', () => {
  expectTypeOf<CreateInput<typeof Album>>().toEqualTypeOf<{
    readonly name: string;
    readonly artist: string;
    readonly rating: number;
    readonly good: boolean;
    readonly year?: number | null | undefined;
    readonly plays?: bigint | undefined;
    readonly format?: 'cd' | 'vinyl' | undefined;
    readonly released?: Date | null | undefined;
    readonly cover?: Uint8Array | null | undefined;
    readonly meta?: { genre?: string } | null | undefined;
  }>();
});

test('set takes any part, and null only for what is optional', () => {
  expectTypeOf<{ year: null }>().toExtend<SetInput<typeof Album>>();
  expectTypeOf<{ name: null }>().not.toExtend<SetInput<typeof Album>>();
  expectTypeOf<{ name?: string }>().toExtend<SetInput<typeof Album>>();
});

test('wrong fields and types are compile-time errors', () => {
  const use = (client: Client) => {
    void client.transact(async tx => {
      // @ts-expect-error a property is missing
      await tx.create(Artist, {});
      // @ts-expect-error no such property
      await tx.create(Artist, { name: 'Muse', nome: 'Muse' });
      // @ts-expect-error a number is no text
      tx.edit(Artist, '').set({ name: 1 });
      expectTypeOf(await tx.create(Artist, { name: 'Muse' })).toEqualTypeOf<Infer<typeof Artist>>();
    });
    expectTypeOf(client.query(Artist)).toEqualTypeOf<LiveResult<Infer<typeof Artist>>>();
    expectTypeOf(client.entity(Artist, '').data).toEqualTypeOf<Infer<typeof Artist> | undefined>();
    expectTypeOf(client.fetch(Artist, 'name = ?', ['Muse'])).resolves.toEqualTypeOf<
      readonly Infer<typeof Artist>[]
    >();
  };
  expectTypeOf(use).toBeFunction();
});

test('id is taken', () => {
  // @ts-expect-error every row shows its own id
  expectTypeOf(() => defineModel('x', { id: f.string() })).toBeFunction();
});
