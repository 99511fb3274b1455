import { defineModel, f, type Client, type ClientError } from '@ankurah-go/client';
import { expectTypeOf } from 'vitest';

import { useEntity, useLiveQuery, useSignal, useTransact } from '../src/mod.ts';

// Compiled by `npm run check`, and never run.

const Track = defineModel('track', {
  title: f.text(),
  seconds: f.int().optional(),
  format: f.enum('cd', 'vinyl'),
  released: f.time(),
});

interface Row {
  readonly id: string;
  readonly $sync: 'pending' | 'synced' | 'refused';
  readonly title: string;
  readonly seconds: number | null;
  readonly format: 'cd' | 'vinyl';
  readonly released: Date;
}

export function rowsHaveTheTypesOfTheModel(): void {
  const result = useLiveQuery(Track, 'seconds > ?', [60]);
  expectTypeOf(result.data).toEqualTypeOf<readonly Row[]>();
  const entity = useEntity(Track, 'id');
  expectTypeOf(entity.data).toEqualTypeOf<Row | undefined>();
}

export function builtQueriesHaveTheirModel(): void {
  const since = Math.random() > 0.5 && 1;
  const result = useLiveQuery(since !== false && Track.where(track => track.seconds.gt(since)), { keepPrevious: false });
  expectTypeOf(result.data).toEqualTypeOf<readonly Row[]>();
  // @ts-expect-error a condition is no query
  useLiveQuery(Track.where(track => track.seconds));
}

export function theStatusTellsWhetherThereIsAnError(): void {
  const { status, error } = useLiveQuery(Track);
  if (status === 'error') expectTypeOf(error).toEqualTypeOf<ClientError>();
  else expectTypeOf(error).toEqualTypeOf<undefined>();
}

export function parametersAreValues(): void {
  useLiveQuery(Track, 'seconds IN :list', { list: [1, 2, 3] });
  useLiveQuery(Track, null);
  useLiveQuery(Track, false);
  useLiveQuery(Track, undefined, undefined, { keepPrevious: false });
  // @ts-expect-error a function is no value
  useLiveQuery(Track, 'seconds > ?', [() => 1]);
  // @ts-expect-error a number is no selection
  useLiveQuery(Track, 1);
  // @ts-expect-error a text is no model
  useLiveQuery('track');
}

export function theRestIsTyped(client: Client): void {
  expectTypeOf(useTransact()).toEqualTypeOf<Client['transact']>();
  expectTypeOf(useSignal(client.rejections)).toEqualTypeOf<Client['rejections']['value']>();
}
