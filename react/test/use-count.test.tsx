import { act, screen } from '@testing-library/react';
import { avg, ClientError, count, max } from '@ankurah-go/client';
import { memo, type ReactElement } from 'react';
import { describe, expect, test } from 'vitest';

import { useAggregate, useCount, type CountSnapshot } from '../src/mod.ts';
import { Album, Artist } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { lastOf, provide, released, renderWith } from './render.tsx';

const shown = (): string | null => screen.getByTestId('probe').textContent;

interface ProbeProps {
  readonly selection?: string | null | undefined | false;
  readonly params?: readonly number[];
  readonly seen?: CountSnapshot[];
}

function Count(props: ProbeProps): ReactElement {
  const result = useCount(Album, 'selection' in props ? props.selection : '', props.params);
  props.seen?.push(result);
  return <p data-testid="probe">{`${result.status}: ${result.count ?? '-'}${result.error?.message ?? ''}`}</p>;
}

describe('a count', () => {
  test('is loading first, then shows each answer', () => {
    const client = new FakeClient();
    const seen: CountSnapshot[] = [];
    renderWith(client, <Count seen={seen} />);
    expect(shown()).toBe('loading: -');
    act(() => client.openCount(Album).answer(3));
    expect(shown()).toBe('local: 3');
    act(() => client.openCount(Album).answer(1_000_000, 'live'));
    expect(shown()).toBe('live: 1000000');
    expect(seen).toHaveLength(3);
  });

  test('keeps its identity while nothing changes', () => {
    const client = new FakeClient();
    const seen: CountSnapshot[] = [];
    const { rerender } = renderWith(client, <Count seen={seen} selection="year > ?" params={[1]} />);
    act(() => client.openCount(Album, 'year > ?', [1]).answer(3));
    rerender(provide(client, <Count seen={seen} selection=" year  > ? " params={[1]} />));
    expect(seen.at(-1)).toBe(seen.at(-2));
    expect(client.opened).toHaveLength(1);
  });

  test('shows an error with what was last known', () => {
    const client = new FakeClient();
    renderWith(client, <Count />);
    act(() => client.openCount(Album).answer(3, 'live'));
    act(() => client.openCount(Album).fail(new ClientError('denied', ' no longer yours')));
    expect(shown()).toBe('error: 3 no longer yours');
  });

  test.each([null, undefined, false] as const)('of %s asks nothing', nothing => {
    const client = new FakeClient();
    renderWith(client, <Count selection={nothing} />);
    expect(shown()).toBe('loading: -');
    expect(client.opened).toHaveLength(0);
  });

  test('of a built selection, and shared with the text that says the same', () => {
    const client = new FakeClient();
    function Both(): ReactElement {
      const built = useCount(Album.where(a => a.year.gt(1)));
      const written = useCount(Album, 'year > ?', [1]);
      return <p data-testid="probe">{`${built.count} ${written.count}`}</p>;
    }
    renderWith(client, <Both />);
    act(() => client.openCount(Album, 'year > ?', [1]).answer(4, 'live'));
    expect(shown()).toBe('4 4');
    expect(client.opened).toHaveLength(1);
  });

  test('follows its selection, and is closed with its component', async () => {
    const client = new FakeClient();
    const { rerender, unmount } = renderWith(client, <Count selection="year = 1" />, true);
    act(() => client.openCount(Album, 'year = 1').answer(1, 'live'));
    rerender(provide(client, <Count selection="year = 2" />, true));
    await released();
    expect([...client.open.keys()].map(key => key.split('\n')[1])).toEqual(['year = 2']);
    act(() => client.openCount(Album, 'year = 2').answer(2, 'live'));
    expect(shown()).toBe('live: 2');
    rerender(provide(client, <Count selection="year = 3" />, true));
    expect(shown()).toBe('loading: 2'); // until there is another
    unmount();
    await released();
    expect(client.open.size).toBe(0);
  });
});

interface ArtistRow {
  readonly artist: string | null;
  readonly n: number;
  readonly last: number | null;
}

describe('groups', () => {
  const query = { groupBy: ['artist'], select: { n: count(), last: max('year') } } as const;

  test('come with the types of the model, and keep their identity', () => {
    const client = new FakeClient();
    const rendered: string[] = [];
    const Group = memo(({ row, seen }: { readonly row: ArtistRow; readonly seen: string[] }) => {
      seen.push(`${row.artist} ${row.n} ${row.last}`);
      return null;
    });
    function Groups(): ReactElement {
      const { data, status } = useAggregate(Album, { groupBy: ['artist'], select: { n: count(), last: max('year') } });
      return <p data-testid="probe">{status}{data.map(row => <Group key={row.id} row={row} seen={rendered} />)}</p>;
    }
    renderWith(client, <Groups />);
    expect(shown()).toBe('loading');
    const muse = Object.freeze({ id: 'a', artist: 'Muse', n: 2, last: 2001 });
    act(() => client.openAggregate(Album, query).answer([muse, { id: 'b', artist: null, n: 1, last: null }], 'live'));
    act(() => client.openAggregate(Album, query).answer([muse, { id: 'b', artist: null, n: 2, last: null }], 'live'));
    expect(rendered).toEqual(['Muse 2 2001', 'null 1 null', 'null 2 null']);
    expect(shown()).toBe('live');
    expect(client.opened).toHaveLength(1);
  });

  test('of the selection before stay until there are others, with the same columns only', () => {
    const client = new FakeClient();
    function Years({ where, mean }: { readonly where: string; readonly mean?: boolean }): ReactElement {
      const result = useAggregate(Album, mean ? { where, select: { n: count(), mean: avg('year') } } : { where, select: { n: count() } });
      return <p data-testid="probe">{`${result.status}: ${JSON.stringify(result.data)}`}</p>;
    }
    const { rerender } = renderWith(client, <Years where="year > 1" />);
    act(() => client.openAggregate(Album, { where: 'year > 1', select: { n: count() } }).answer([{ id: '', n: 5 }], 'live'));
    rerender(provide(client, <Years where="year > 2" />));
    expect(shown()).toBe('loading: [{"id":"","n":5}]');
    rerender(provide(client, <Years where="year > 2" mean />));
    expect(shown()).toBe('loading: []');
  });

  test('of what cannot be asked are an error', () => {
    const client = new FakeClient();
    function Wrong(): ReactElement {
      // @ts-expect-error there is no such property
      const { status, error } = useAggregate(Album, { select: { mean: avg('yeer') } });
      return <p data-testid="probe">{`${status}: ${error?.code}`}</p>;
    }
    renderWith(client, <Wrong />);
    expect(shown()).toBe('error: schema');
  });

  test('of nothing ask nothing, and of another model start anew', () => {
    const client = new FakeClient();
    function Switch({ what }: { readonly what: 'nothing' | 'album' | 'artist' }): ReactElement {
      const albums = useAggregate(Album, what === 'album' && { select: { n: count() } });
      const artists = useAggregate(Artist, what === 'artist' && { select: { n: count() } });
      return <p data-testid="probe">{JSON.stringify([albums.data, artists.data])}</p>;
    }
    const { rerender } = renderWith(client, <Switch what="nothing" />);
    expect(client.opened).toHaveLength(0);
    rerender(provide(client, <Switch what="album" />));
    act(() => client.openAggregate(Album, { select: { n: count() } }).answer([{ id: '', n: 5 }], 'live'));
    expect(shown()).toBe('[[{"id":"","n":5}],[]]');
    rerender(provide(client, <Switch what="artist" />));
    expect(shown()).toBe('[[],[]]');
    expect(lastOf(client.opened)).toContain('artist');
  });
});
