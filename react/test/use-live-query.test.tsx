import { act, render, screen } from '@testing-library/react';
import { ClientError, type LiveSnapshot, type Params } from '@ankurah-go/client';
import { memo, StrictMode, Suspense, useState, type ReactElement } from 'react';
import { describe, expect, test, vi } from 'vitest';

import { AnkurahProvider, useLiveQuery, type UseLiveQueryOptions } from '../src/mod.ts';
import { Album, album, Artist } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { lastOf, provide, released, renderWith, type Seen } from './render.tsx';

const bySince = 'year > :since ORDER BY name';

interface ProbeProps {
  readonly selection?: string | null | undefined | false;
  readonly params?: Params;
  readonly options?: UseLiveQueryOptions;
  readonly seen?: Seen<readonly Album[]>;
}

/** Shows a query as text, `status: names`, and records what the hook returned. */
function Probe(props: ProbeProps): ReactElement {
  const { params, options, seen } = props;
  const result = useLiveQuery(Album, 'selection' in props ? props.selection : '', params, options);
  seen?.push(result);
  return <p data-testid="probe">{describeResult(result)}</p>;
}

function describeResult({ status, data, error }: LiveSnapshot<readonly { name: string }[]>): string {
  const names = data.map(row => row.name).join(', ');
  return status === 'error' ? `${status} (${error.message}): ${names}` : `${status}: ${names}`;
}

const shown = (): string | null => screen.getByTestId('probe').textContent;

describe('one query', () => {
  test('is loading first, with an empty array, then shows each answer', () => {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    renderWith(client, <Probe seen={seen} />);
    expect(seen).toEqual([{ data: [], status: 'loading', error: undefined }]);

    act(() => client.liveQuery(Album).answer([album('Absolution')]));
    expect(shown()).toBe('local: Absolution');
    act(() => client.liveQuery(Album).answer([album('Absolution'), album('Drones')], 'live'));
    expect(shown()).toBe('live: Absolution, Drones');
    expect(seen).toHaveLength(3);
  });

  test('is opened while rendering, so that an answer that is there at once is shown at once', () => {
    const client = new FakeClient();
    client.answer = () => [album('Showbiz')];
    const seen: Seen<readonly Album[]> = [];
    renderWith(client, <Probe seen={seen} />);
    expect(seen.map(describeResult)).toEqual(['local: Showbiz']);
  });

  test('returns the very snapshot of the client, so that equal results are one object', () => {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    const { rerender } = renderWith(client, <Probe seen={seen} />);
    act(() => client.liveQuery(Album).answer([album('Drones')]));
    rerender(provide(client, <Probe seen={seen} />));
    expect(lastOf(seen)).toBe(client.liveQuery(Album).snapshot);
    expect(seen.at(-1)).toBe(seen.at(-2));
  });

  test('does not render for a notification that changed nothing', () => {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    renderWith(client, <Probe seen={seen} />);
    act(() => client.liveQuery(Album).notify());
    expect(seen).toHaveLength(1);
  });

  test('shows an error with what was last known, and recovers', () => {
    const client = new FakeClient();
    renderWith(client, <Probe />);
    act(() => client.liveQuery(Album).answer([album('Drones')], 'live'));
    act(() => client.liveQuery(Album).fail(new ClientError('denied', 'no longer yours')));
    expect(shown()).toBe('error (no longer yours): Drones');
    act(() => client.liveQuery(Album).answer([], 'live'));
    expect(shown()).toBe('live: ');
  });

  test('selects every row when the selection is left out', () => {
    const client = new FakeClient();
    function All(): ReactElement {
      return <p>{useLiveQuery(Album).status}</p>;
    }
    renderWith(client, <All />);
    expect(client.liveQuery(Album, '').listeners).toBe(1);
  });

  test('that the client refuses to open is an error in the result', () => {
    const client = new FakeClient();
    client.refuse = new ClientError('schema', 'album is not among the models of this client');
    renderWith(client, <Probe />);
    expect(shown()).toBe('error (album is not among the models of this client): ');
  });

  test('with a parameter that cannot be bound is an error in the result, and recovers', () => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, <Probe selection={bySince} params={{ since: NaN }} />);
    expect(shown()).toBe('error (NaN cannot be bound to a selection): ');
    rerender(provide(client, <Probe selection={bySince} params={{ since: 1999 }} />));
    act(() => client.liveQuery(Album, bySince, { since: 1999 }).answer([album('Drones')]));
    expect(shown()).toBe('local: Drones');
  });

  test('lets a mistake in the program reach the error boundary', () => {
    const client = new FakeClient();
    client.refuse = new TypeError('a bug');
    const silence = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    expect(() => renderWith(client, <Probe />)).toThrow('a bug');
    silence.mockRestore();
  });
});

describe('structure, not identity, tells queries apart', () => {
  test('parameters written inline do not open anything anew', () => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, <Probe selection={bySince} params={{ since: 1999 }} />);
    for (let render = 0; render < 5; render++) {
      rerender(provide(client, <Probe selection={bySince} params={{ since: 1999 }} />));
    }
    expect(client.opened).toHaveLength(1);
    expect(client.liveQuery(Album, bySince, { since: 1999 }).listeners).toBe(1);
  });

  test.each<[string, Params, Params]>([
    ['a value', { since: 1999 }, { since: 2000 }],
    ['a type', [1999], ['1999']],
    ['null', [null], ['null']],
    ['a list', [[1, 2]], [[1, 3]]],
  ])('other parameters, by %s, are another query', (_, before, after) => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, <Probe selection="year > ?" params={before} />);
    rerender(provide(client, <Probe selection="year > ?" params={after} />));
    expect(client.opened).toHaveLength(2);
  });

  test('two components with one query share it, and change in one render', () => {
    const client = new FakeClient();
    const first: Seen<readonly Album[]> = [];
    const second: Seen<readonly Album[]> = [];
    renderWith(
      client,
      <>
        <Probe selection={bySince} params={{ since: 1999 }} seen={first} />
        <Probe selection={bySince} params={{ since: 1999 }} seen={second} />
      </>,
    );
    expect(client.opened).toHaveLength(1);
    act(() => client.liveQuery(Album, bySince, { since: 1999 }).answer([album('Drones')]));
    expect(first).toHaveLength(2);
    expect(lastOf(first)).toBe(lastOf(second));
  });

  test('a component that comes later shows at once what the other already has', () => {
    const client = new FakeClient();
    const late: Seen<readonly Album[]> = [];
    const { rerender } = renderWith(client, <Probe key="early" />);
    act(() => client.liveQuery(Album).answer([album('Drones')], 'live'));
    rerender(
      provide(
        client,
        <>
          <Probe key="early" />
          <Probe key="late" seen={late} />
        </>,
      ),
    );
    expect(late.map(describeResult)).toEqual(['live: Drones']);
  });

  test('one of two components leaving does not disturb the other', async () => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, [<Probe key="a" />, <Probe key="b" />]);
    rerender(provide(client, [<Probe key="b" />]));
    await released();
    act(() => client.liveQuery(Album).answer([album('Drones')]));
    expect(shown()).toBe('local: Drones');
  });
});

describe('a built query', () => {
  function Built({ since, seen }: { readonly since: number | undefined; readonly seen?: Seen<readonly Album[]> }): ReactElement {
    const result = useLiveQuery(since !== undefined && Album.where(a => a.year.gt(since)).orderBy('name'));
    seen?.push(result);
    return <p data-testid="probe">{describeResult(result)}</p>;
  }

  test('may be made with each render, and is the one that its text names', () => {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    const { rerender } = renderWith(client, <Built since={1999} seen={seen} />);
    rerender(provide(client, <Built since={1999} seen={seen} />));
    expect(client.opened).toHaveLength(1);
    act(() => client.liveQuery(Album, 'year > ? ORDER BY name', [1999]).answer([album('Drones')]));
    expect(shown()).toBe('local: Drones');
    rerender(provide(client, <Built since={2000} seen={seen} />));
    expect(shown()).toBe('loading: Drones');
    expect(client.opened).toHaveLength(2);
  });

  test('that is not there asks nothing', () => {
    const client = new FakeClient();
    renderWith(client, <Built since={undefined} />);
    expect(shown()).toBe('loading: ');
    expect(client.opened).toEqual([]);
  });

  test('takes the options of a written one', () => {
    const client = new FakeClient();
    function Bare({ since }: { readonly since: number }): ReactElement {
      return <p data-testid="probe">{describeResult(useLiveQuery(Album.where(a => a.year.gt(since)), { keepPrevious: false }))}</p>;
    }
    const { rerender } = renderWith(client, <Bare since={1} />);
    act(() => client.liveQuery(Album, 'year > ?', [1]).answer([album('Drones')]));
    rerender(provide(client, <Bare since={2} />));
    expect(shown()).toBe('loading: ');
  });
});

describe('mounting and unmounting', () => {
  test('leaves nothing open', async () => {
    const client = new FakeClient();
    const { unmount } = renderWith(client, <Probe />);
    expect(client.liveQuery(Album).listeners).toBe(1);
    unmount();
    await released();
    expect(client.open.size).toBe(0);
  });

  test('in StrictMode opens one query and leaves nothing open', async () => {
    const client = new FakeClient();
    const { unmount } = renderWith(client, <Probe />, true);
    expect(client.opened).toHaveLength(1);
    expect(client.liveQuery(Album).listeners).toBe(1);
    act(() => client.liveQuery(Album).answer([album('Drones')]));
    expect(shown()).toBe('local: Drones');
    unmount();
    await released();
    expect(client.open.size).toBe(0);
  });

  test('over and over, faster than the client closes, keeps the one query', async () => {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    const { rerender } = renderWith(client, <Probe seen={seen} />);
    act(() => client.liveQuery(Album).answer([album('Drones')]));
    for (let round = 0; round < 50; round++) {
      rerender(provide(client, null));
      rerender(provide(client, <Probe key={round} seen={seen} />));
    }
    expect(client.opened).toHaveLength(1);
    expect(client.liveQuery(Album).listeners).toBe(1);
    expect(new Set(seen.slice(1).map(describeResult))).toEqual(new Set(['local: Drones']));
    rerender(provide(client, null));
    await released();
    expect(client.open.size).toBe(0);
  });

  test('again after it was closed opens it again', async () => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, <Probe />);
    rerender(provide(client, null));
    await released();
    rerender(provide(client, <Probe />));
    act(() => client.liveQuery(Album).answer([album('Drones')]));
    expect(shown()).toBe('local: Drones');
    expect(client.opened).toHaveLength(2);
  });

  test('a render that React throws away subscribes to nothing', async () => {
    const client = new FakeClient();
    const never = new Promise<never>(() => undefined);
    function Suspended(): ReactElement {
      useLiveQuery(Album, bySince, { since: 1 });
      throw never;
    }
    const { unmount } = renderWith(
      client,
      <Suspense fallback={<p>waiting</p>}>
        <Suspended />
      </Suspense>,
    );
    expect(screen.getByText('waiting')).toBeDefined();
    expect(client.liveQuery(Album, bySince, { since: 1 }).listeners).toBe(0);
    unmount();
  });

  test('an answer that comes after the component has gone is no error', () => {
    const client = new FakeClient();
    const { unmount } = renderWith(client, <Probe />);
    const live = client.liveQuery(Album);
    unmount();
    expect(() => live.answer([album('Drones')])).not.toThrow();
  });
});

describe('changing the query', () => {
  function open(options?: UseLiveQueryOptions): {
    client: FakeClient;
    seen: Seen<readonly Album[]>;
    ask: (since: number) => void;
    answer: (since: number, ...names: string[]) => void;
  } {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    const element = (since: number): ReactElement => (
      <Probe selection={bySince} params={{ since }} seen={seen} {...(options && { options })} />
    );
    const { rerender } = renderWith(client, element(1));
    return {
      client,
      seen,
      ask: since => rerender(provide(client, element(since))),
      answer: (since, ...names) =>
        act(() => client.liveQuery(Album, bySince, { since }).answer(names.map(name => album(name)))),
    };
  }

  test('keeps the rows until the new query has its first answer', () => {
    const { ask, answer } = open();
    answer(1, 'Absolution', 'Drones');
    ask(2);
    expect(shown()).toBe('loading: Absolution, Drones');
    answer(2, 'Drones');
    expect(shown()).toBe('local: Drones');
  });

  test('takes an empty first answer for an answer', () => {
    const { ask, answer } = open();
    answer(1, 'Absolution');
    ask(2);
    answer(2);
    expect(shown()).toBe('local: ');
  });

  test('in flight ignores what the old query still says', () => {
    const { client, ask, answer } = open();
    answer(1, 'Absolution');
    const old = client.liveQuery(Album, bySince, { since: 1 });
    ask(2);
    expect(old.listeners).toBe(0);
    act(() => old.answer([album('Too late')]));
    expect(shown()).toBe('loading: Absolution');
    answer(2, 'Drones');
    expect(shown()).toBe('local: Drones');
  });

  test('twice in flight still keeps the rows that were answered last', () => {
    const { ask, answer } = open();
    answer(1, 'Absolution');
    ask(2);
    ask(3);
    expect(shown()).toBe('loading: Absolution');
    answer(3, 'Drones');
    expect(shown()).toBe('local: Drones');
  });

  test('there and back in flight is where it was', () => {
    const { client, ask, answer } = open();
    answer(1, 'Absolution');
    ask(2);
    ask(1);
    expect(shown()).toBe('local: Absolution');
    expect(client.opened).toHaveLength(2);
  });

  test('to one that fails keeps the rows beside the error, and the next that answers replaces them', () => {
    const { client, ask, answer } = open();
    answer(1, 'Absolution');
    ask(2);
    act(() => client.liveQuery(Album, bySince, { since: 2 }).fail(new ClientError('selection', 'expected a value')));
    expect(shown()).toBe('error (expected a value): Absolution');
    ask(3);
    expect(shown()).toBe('loading: Absolution');
    answer(3, 'Drones');
    expect(shown()).toBe('local: Drones');
  });

  test('keeps one object for one state while it keeps rows', () => {
    const { seen, ask, answer } = open();
    answer(1, 'Absolution');
    ask(2);
    ask(2);
    expect(lastOf(seen).status).toBe('loading');
    expect(seen.at(-1)).toBe(seen.at(-2));
  });

  test('empties at once where that was asked for', () => {
    const { ask, answer } = open({ keepPrevious: false });
    answer(1, 'Absolution');
    ask(2);
    expect(shown()).toBe('loading: ');
    answer(2, 'Drones');
    expect(shown()).toBe('local: Drones');
  });

  test('closes the old query', async () => {
    const { client, ask } = open();
    ask(2);
    await released();
    expect(client.open.size).toBe(1);
    expect(client.liveQuery(Album, bySince, { since: 2 }).listeners).toBe(1);
  });

  test('a hundred times in a row leaves one query open', async () => {
    const { client, ask } = open();
    for (let since = 2; since < 100; since++) ask(since);
    await released();
    expect([...client.open.values()].filter(live => live.listeners > 0)).toHaveLength(1);
  });
});

describe('asking nothing', () => {
  test.each([null, undefined, false] as const)('%s opens nothing and is loading', selection => {
    const client = new FakeClient();
    renderWith(client, <Probe selection={selection} />);
    expect(shown()).toBe('loading: ');
    expect(client.opened).toEqual([]);
  });

  test('an empty selection is not nothing, it is everything', () => {
    const client = new FakeClient();
    renderWith(client, <Probe selection="" />);
    expect(client.liveQuery(Album).listeners).toBe(1);
  });

  test('then something, then nothing, then something else: never shows rows that were not asked for', async () => {
    const client = new FakeClient();
    const { rerender } = renderWith(client, <Probe selection={null} />);
    rerender(provide(client, <Probe selection="year > 1" />));
    act(() => client.liveQuery(Album, 'year > 1').answer([album('Drones')]));
    expect(shown()).toBe('local: Drones');

    rerender(provide(client, <Probe selection={null} />));
    expect(shown()).toBe('loading: ');
    await released();
    expect(client.open.size).toBe(0);

    rerender(provide(client, <Probe selection="year > 2" />));
    expect(shown()).toBe('loading: ');
  });
});

describe('changing what is asked', () => {
  test('another client: nothing of the old one is shown, not for one render', async () => {
    const before = new FakeClient();
    const after = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    const { rerender } = renderWith(before, <Probe seen={seen} />);
    act(() => before.liveQuery(Album).answer([album('Of the old user')]));
    const rendersBefore = seen.length;

    rerender(provide(after, <Probe seen={seen} />));
    expect(shown()).toBe('loading: ');
    act(() => after.liveQuery(Album).answer([album('Of the new user')]));
    expect(shown()).toBe('local: Of the new user');
    expect(seen.slice(rendersBefore).some(result => result.data.some(row => row.name === 'Of the old user'))).toBe(false);

    await released();
    expect(before.open.size).toBe(0);
    expect(after.liveQuery(Album).listeners).toBe(1);
  });

  test('another model: its rows are never mixed with those of the one before', () => {
    const client = new FakeClient();
    function Switch({ artists }: { readonly artists: boolean }): ReactElement {
      return <p data-testid="probe">{describeResult(useLiveQuery(artists ? Artist : Album))}</p>;
    }
    const { rerender } = renderWith(client, <Switch artists={false} />);
    act(() => client.liveQuery(Album).answer([album('Drones')]));
    rerender(provide(client, <Switch artists />));
    expect(shown()).toBe('loading: ');
    act(() => client.liveQuery(Artist).answer([Object.freeze({ id: '1', $sync: 'synced', name: 'Muse' })]));
    expect(shown()).toBe('local: Muse');
  });
});

describe('rendering no more than needed', () => {
  test('a row that did not change does not render again', () => {
    const client = new FakeClient();
    const renders: string[] = [];
    const Row = memo(function Row({ row }: { readonly row: Album }): ReactElement {
      renders.push(row.name);
      return <li>{row.name}</li>;
    });
    function List(): ReactElement {
      return (
        <ul>
          {useLiveQuery(Album).data.map(row => (
            <Row key={row.id} row={row} />
          ))}
        </ul>
      );
    }
    renderWith(client, <List />);
    const rows = Array.from({ length: 1000 }, (_, index) => album(`Album ${index}`));
    act(() => client.liveQuery(Album).answer(rows));
    expect(renders).toHaveLength(1000);

    renders.length = 0;
    const changed = rows.map((row, index) => (index === 500 ? album('Changed', { id: row.id }) : row));
    act(() => client.liveQuery(Album).answer(changed));
    expect(renders).toEqual(['Changed']);

    renders.length = 0;
    act(() => client.liveQuery(Album).answer(changed.slice(1), 'live'));
    expect(renders).toEqual([]);
  });

  test('a transaction that touches two queries of a component renders it once', () => {
    const client = new FakeClient();
    const seen: string[] = [];
    function Both(): ReactElement {
      const albums = useLiveQuery(Album).data;
      const artists = useLiveQuery(Artist).data;
      seen.push(`${albums.length}/${artists.length}`);
      return <p />;
    }
    renderWith(client, <Both />);
    act(() => {
      client.liveQuery(Album).answer([album('Drones')]);
      client.liveQuery(Artist).answer([Object.freeze({ id: '1', $sync: 'synced', name: 'Muse' })]);
    });
    expect(seen).toEqual(['0/0', '1/1']);
  });

  test('a parent that renders for its own reasons gets the same data', () => {
    const client = new FakeClient();
    const seen: Seen<readonly Album[]> = [];
    function Parent(): ReactElement {
      const [count, setCount] = useState(0);
      return (
        <button onClick={() => setCount(count + 1)}>
          <Probe seen={seen} params={[count === -1 ? 1 : 0]} />
        </button>
      );
    }
    renderWith(client, <Parent />);
    act(() => client.liveQuery(Album, '', [0]).answer([album('Drones')]));
    const renders = seen.length;
    act(() => screen.getByRole('button').click());
    expect(seen.length).toBeGreaterThan(renders);
    expect(seen.at(-1)).toBe(seen.at(-2));
  });
});

test('StrictMode, a changing query and an answer in flight end in one open query and the right rows', async () => {
  const client = new FakeClient();
  const element = (since: number): ReactElement => (
    <StrictMode>
      <AnkurahProvider client={client}>
        <Probe selection={bySince} params={{ since }} />
      </AnkurahProvider>
    </StrictMode>
  );
  const { rerender, unmount } = render(element(1));
  act(() => client.liveQuery(Album, bySince, { since: 1 }).answer([album('Absolution')]));
  rerender(element(2));
  expect(shown()).toBe('loading: Absolution');
  act(() => client.liveQuery(Album, bySince, { since: 2 }).answer([album('Drones')]));
  expect(shown()).toBe('local: Drones');
  await released();
  expect([...client.open.values()].map(live => live.listeners)).toEqual([1]);
  unmount();
  await released();
  expect(client.open.size).toBe(0);
});
