import { act, screen } from '@testing-library/react';
import { ClientError, type EntityId } from '@ankurah-go/client';
import type { ReactElement } from 'react';
import { expect, test } from 'vitest';

import { useEntity, useLiveQuery } from '../src/mod.ts';
import { Album, album } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { provide, released, renderWith, type Seen } from './render.tsx';

interface ProbeProps {
  readonly id: EntityId | null | undefined | false;
  readonly seen?: Seen<Album | undefined>;
}

function Probe({ id, seen }: ProbeProps): ReactElement {
  const result = useEntity(Album, id);
  seen?.push(result);
  return <p data-testid="probe">{`${result.status}: ${result.data?.name ?? 'none'}`}</p>;
}

const shown = (): string | null => screen.getByTestId('probe').textContent;

test('shows an entity, its changes, and that it was deleted', () => {
  const client = new FakeClient();
  renderWith(client, <Probe id="a" />);
  expect(shown()).toBe('loading: none');
  act(() => client.liveEntity(Album, 'a').answer(album('Drones')));
  expect(shown()).toBe('local: Drones');
  act(() => client.liveEntity(Album, 'a').answer(album('Drones (2015)'), 'live'));
  expect(shown()).toBe('live: Drones (2015)');
  act(() => client.liveEntity(Album, 'a').answer(undefined, 'live'));
  expect(shown()).toBe('live: none');
});

test('shows why an entity cannot be shown, with what was last known', () => {
  const client = new FakeClient();
  renderWith(client, <Probe id="a" />);
  act(() => client.liveEntity(Album, 'a').answer(album('Drones')));
  act(() => client.liveEntity(Album, 'a').fail(new ClientError('denied', 'not yours')));
  expect(shown()).toBe('error: Drones');
});

test('never shows another entity than the one asked for', () => {
  const client = new FakeClient();
  const seen: Seen<Album | undefined> = [];
  const { rerender } = renderWith(client, <Probe id="a" seen={seen} />);
  act(() => client.liveEntity(Album, 'a').answer(album('Drones')));
  seen.length = 0;
  rerender(provide(client, <Probe id="b" seen={seen} />));
  expect(seen).toEqual([{ data: undefined, status: 'loading', error: undefined }]);
  act(() => client.liveEntity(Album, 'b').answer(album('Showbiz')));
  expect(shown()).toBe('local: Showbiz');
});

test.each([null, undefined, false] as const)('%s asks nothing', async id => {
  const client = new FakeClient();
  const { rerender } = renderWith(client, <Probe id={id} />);
  expect(shown()).toBe('loading: none');
  expect(client.opened).toEqual([]);
  rerender(provide(client, <Probe id="a" />));
  act(() => client.liveEntity(Album, 'a').answer(album('Drones')));
  rerender(provide(client, <Probe id={id} />));
  expect(shown()).toBe('loading: none');
  await released();
  expect(client.open.size).toBe(0);
});

test('does not render when another entity changes', () => {
  const client = new FakeClient();
  const seen: Seen<Album | undefined> = [];
  renderWith(client, [<Probe key="a" id="a" seen={seen} />, <Probe key="b" id="b" />]);
  const renders = seen.length;
  act(() => client.liveEntity(Album, 'b').answer(album('Showbiz')));
  expect(seen).toHaveLength(renders);
});

test('two components with one entity share it, and StrictMode leaves nothing open', async () => {
  const client = new FakeClient();
  const { unmount } = renderWith(
    client,
    <>
      <Probe id="a" />
      <Probe id="a" />
    </>,
    true,
  );
  expect(client.opened).toHaveLength(1);
  expect(client.liveEntity(Album, 'a').listeners).toBe(2);
  unmount();
  await released();
  expect(client.open.size).toBe(0);
});

test('a list and one of its entities in one component render together', () => {
  const client = new FakeClient();
  const seen: string[] = [];
  function Both(): ReactElement {
    const list = useLiveQuery(Album).data.map(row => row.name);
    const one = useEntity(Album, 'a').data?.name;
    seen.push(`${list.join()}/${one}`);
    return <p />;
  }
  renderWith(client, <Both />);
  act(() => {
    client.liveQuery(Album).answer([album('Drones')]);
    client.liveEntity(Album, 'a').answer(album('Drones'));
  });
  expect(seen).toEqual(['/undefined', 'Drones/Drones']);
});

test('another client answers for itself', async () => {
  const before = new FakeClient();
  const after = new FakeClient();
  const { rerender } = renderWith(before, <Probe id="a" />);
  act(() => before.liveEntity(Album, 'a').answer(album('Drones')));
  rerender(provide(after, <Probe id="a" />));
  expect(shown()).toBe('loading: none');
  await released();
  expect(before.open.size).toBe(0);
});
