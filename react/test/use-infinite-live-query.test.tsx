import { act, render, screen } from '@testing-library/react';
import { ClientError } from '@ankurah-go/client';
import { StrictMode, type ReactElement } from 'react';
import { describe, expect, test } from 'vitest';

import { AnkurahProvider, useInfiniteLiveQuery, type InfiniteLiveQuery, type InfiniteLiveQueryOptions } from '../src/mod.ts';
import { Album } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { named } from './fake-list.ts';
import { provide, renderWith } from './render.tsx';

const bySince = (since: number) => Album.where(a => a.year.gt(since)).orderBy('name');

interface ProbeProps {
  readonly since?: number | undefined;
  readonly options?: InfiniteLiveQueryOptions;
  readonly seen?: InfiniteLiveQuery<Album>[];
}

/** Shows a list as text, and records what the hook returned. */
function Probe({ since, options = { pageSize: 2, maxRows: 12 }, seen }: ProbeProps): ReactElement {
  const list = useInfiniteLiveQuery(since === undefined ? null : bySince(since), options);
  seen?.push(list);
  return <p data-testid="probe">{describeList(list)}</p>;
}

function describeList({ status, data, firstIndex, isPrevious, error }: InfiniteLiveQuery<Album>): string {
  const names = data.map(row => Number(row.name)).join(' ');
  return `${status}${isPrevious ? ' before' : ''} ${firstIndex}: ${error?.message ?? names}`;
}

const shown = (): string | null => screen.getByTestId('probe').textContent;

function open(strict = false) {
  const client = new FakeClient();
  const seen: InfiniteLiveQuery<Album>[] = [];
  const { rerender, unmount } = renderWith(client, <Probe since={1} seen={seen} />, strict);
  const list = (since: number) => client.list(bySince(since));
  return {
    client,
    seen,
    last: () => seen.at(-1)!,
    list,
    unmount,
    ask: (since: number | undefined, options?: InfiniteLiveQueryOptions) =>
      rerender(provide(client, <Probe since={since} seen={seen} {...(options && { options })} />, strict)),
    settle: (since = 1) => act(() => list(since).settle()),
  };
}

describe('a list', () => {
  test('is loading first, then shows its rows, and fetches more in place', () => {
    const { last, settle, list } = open();
    expect(shown()).toBe('loading 0: ');
    settle();
    expect(shown()).toBe('live 0: 0 2 4 6 8');
    act(() => last().fetchNext());
    expect(last().isFetchingNext).toBe(true);
    settle();
    expect(shown()).toBe('live 0: 0 2 4 6 8 10 12');
    expect(last().isFetchingNext).toBe(false);
    expect(list(1).windows).toHaveLength(1);
  });

  test('shows changes, and rows that did not change are the same', () => {
    const { last, settle, list } = open();
    settle();
    const [first] = last().data;
    act(() => {
      list(1).edit({ put: [named('00000001')] });
      list(1).answer();
    });
    expect(shown()).toBe('live 0: 0 1 2 4 6');
    expect(last().data[0]).toBe(first);
  });

  test('moves to what is in view, and holds no more than was said', () => {
    const { last, settle } = open();
    settle();
    act(() => last().show(500, 503));
    expect(last()).toMatchObject({ isJumping: true, firstIndex: 0 });
    settle();
    expect(last()).toMatchObject({ isJumping: false });
    expect(last().data[500 - last().firstIndex]).toMatchObject({ name: '00001000' });
    for (let first = 500; first < 600; first += 3) {
      act(() => last().show(first, first + 3));
      settle();
      expect(last().data.length).toBeLessThanOrEqual(12);
      expect(last().data[first + 3 - last().firstIndex]).toMatchObject({ name: String(2 * first + 6).padStart(8, '0') });
    }
  });

  test('keeps its methods from one render to the next', () => {
    const { seen, last, settle } = open();
    const { fetchNext, fetchPrevious, jumpTo } = last();
    settle();
    expect(last()).toMatchObject({ fetchNext, fetchPrevious, jumpTo });
    expect(seen.length).toBeLessThan(5);
  });

  test('that renders for other reasons is the same object', () => {
    const { last, settle, ask } = open();
    settle();
    const before = last();
    ask(1);
    expect(last()).toBe(before);
  });

  test('asks nothing for nothing, and then something', () => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, <Probe />);
    expect(shown()).toBe('loading 0: ');
    expect(client.lists.size).toBe(0);
    rerender(provide(client, <Probe since={1} />));
    act(() => client.list(bySince(1)).settle());
    expect(shown()).toBe('live 0: 0 2 4 6 8');
    rerender(provide(client, <Probe />));
    expect(shown()).toBe('loading 0: ');
  });

  test('that the client refuses to open is an error in the result', () => {
    const client = new FakeClient();
    client.refuse = new ClientError('schema', 'album is not among the models of this client');
    renderWith(client, <Probe since={1} />);
    expect(shown()).toBe('error 0: album is not among the models of this client');
  });

  test('with a parameter that cannot be bound is an error in the result', () => {
    const client = new FakeClient();
    client.refuse = new ClientError('invalid', 'NaN cannot be bound');
    renderWith(client, <Probe since={Number.NaN} />);
    expect(shown()).toBe('error 0: NaN cannot be bound');
  });
});

describe('another selection', () => {
  test('shows the rows of the one before until it has its own, and says so', () => {
    const { last, settle, ask, list } = open();
    settle();
    act(() => last().show(100, 103));
    settle();
    const { data, firstIndex } = last();
    ask(2);
    expect(last()).toMatchObject({ isPrevious: true, status: 'loading', firstIndex });
    expect(last().data).toBe(data);
    act(() => last().show(100, 103)); // a virtual list that still shows the old rows
    settle(2);
    expect(shown()).toBe('live 0: 0 2 4 6 8');
    expect(list(2).windows[0]?.ranges).toHaveLength(1);
    expect(list(1).open).toHaveLength(0);
  });

  test('empties at once where that was asked for', () => {
    const { settle, ask } = open();
    settle();
    ask(2, { pageSize: 2, keepPrevious: false });
    expect(shown()).toBe('loading 0: ');
  });

  test('of another client never shows the rows of the one before', () => {
    const { settle } = open();
    settle();
    const other = new FakeClient();
    renderWith(other, <Probe since={1} />);
    expect(screen.getAllByTestId('probe').at(-1)?.textContent).toBe('loading 0: ');
  });
});

describe('in StrictMode', () => {
  test('a list works, and leaves nothing open', () => {
    const { last, settle, list, unmount } = open(true);
    settle();
    act(() => last().fetchNext());
    settle();
    expect(shown()).toBe('live 0: 0 2 4 6 8 10 12');
    expect(list(1).open).toHaveLength(1);
    unmount();
    expect(list(1).open).toHaveLength(0);
  });

  test('with a selection that changes while the answer is on its way, ends with the right rows', () => {
    const client = new FakeClient();
    const element = (since: number): ReactElement => (
      <StrictMode>
        <AnkurahProvider client={client}>
          <Probe since={since} />
        </AnkurahProvider>
      </StrictMode>
    );
    const { rerender } = render(element(1));
    rerender(element(2));
    rerender(element(1));
    act(() => {
      for (const list of client.lists.values()) list.settle();
    });
    expect(shown()).toBe('live 0: 0 2 4 6 8');
    expect([...client.lists.values()].map(list => list.open.length)).toEqual([1, 0]);
  });
});
