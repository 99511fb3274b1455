import { act, screen } from '@testing-library/react';
import { renderToString } from 'react-dom/server';
import { useState, type ReactElement } from 'react';
import { expect, test } from 'vitest';

import { Reader, Writer } from '../../js/src/msgpack.ts';
import { encodeState } from '../../js/src/presence-frames.ts';
import { extensions, type Extension, type Session } from '../../js/src/session.ts';
import { useOthers, usePresence } from '../src/presence.ts';
import { FakeClient } from './fake-client.ts';
import { provide, released, renderWith } from './render.tsx';

/** What a page has told of a room. */
interface Told {
  readonly number: number;
  readonly room: string;
  readonly member: boolean;
  readonly attendance: number;
}

/** A client whose node is driven by the test. */
function clientWithRooms(): { client: FakeClient; told: Told[]; show: (names: readonly string[]) => void } {
  const client = new FakeClient();
  const told: Told[] = [];
  const session = {
    open: true,
    extension: undefined as Extension | undefined,
    send(write: (w: Writer) => void): void {
      const w = new Writer();
      write(w);
      const r = new Reader(w.take());
      r.array();
      expect(r.number()).toBe(30);
      const [number, room] = [r.number(), r.string()];
      const member = !r.nil();
      if (member) r.bytes();
      told.push({ number, room, member, attendance: r.number() });
    },
  };
  extensions.set(client, session as unknown as Session);
  const show = (names: readonly string[]): void => {
    const w = new Writer();
    w.int(told.filter(({ attendance }) => attendance === 0).at(-1)?.number ?? 0);
    w.int(1); // live
    w.nil();
    w.nil();
    w.bool(true);
    w.array(names.length);
    names.forEach((name, index) => {
      w.array(4);
      w.bytes(new Uint8Array(16).fill(index + 1));
      w.nil();
      w.int(index);
      w.bytes(encodeState({ name }).slice());
    });
    w.array(0);
    session.extension?.members(new Reader(w.take()));
  };
  return { client, told, show };
}

type Person = { name: string };

function People({ room }: { room: string | undefined }): ReactElement {
  const { others, status, set } = usePresence<Person>(room, { name: 'me' });
  return (
    <button data-testid="people" onClick={() => set({ name: 'other' })}>
      {status} {others.map(({ state }) => state.name).join(' ')}
    </button>
  );
}

function Onlooker(): ReactElement {
  return <p data-testid="onlooker">{useOthers<Person>('lobby').map(({ state }) => state.name).join(' ')}</p>;
}

const shown = (id = 'people'): string | null => screen.getByTestId(id).textContent;

for (const strict of [false, true]) {
  test(`is in the room while it is shown, once${strict ? ', in StrictMode' : ''}`, async () => {
    const { client, told, show } = clientWithRooms();
    const { unmount } = renderWith(client, <People room="lobby" />, strict);
    expect(shown()).toBe('waiting ');
    act(() => show(['matt', 'dom']));
    expect(shown()).toBe('live matt dom');
    await released();
    expect(told).toEqual([{ number: 1, room: 'lobby', member: true, attendance: 0 }]);
    act(() => screen.getByTestId('people').click());
    expect(told).toHaveLength(2);
    expect(told[1]).toEqual(told[0]);
    unmount();
    await released();
    expect(told.slice(2)).toEqual([{ number: 1, room: 'lobby', member: true, attendance: 2 }]);
  });
}

test('another room takes the place of the one before', async () => {
  const { client, told, show } = clientWithRooms();
  function Rooms(): ReactElement {
    const [room, setRoom] = useState<string | undefined>('lobby');
    return (
      <>
        <People room={room} />
        <button onClick={() => setRoom('studio')}>studio</button>
        <button onClick={() => setRoom(undefined)}>none</button>
      </>
    );
  }
  renderWith(client, <Rooms />);
  act(() => show(['matt']));
  act(() => screen.getByText('studio').click());
  expect(shown()).toBe('waiting ');
  act(() => show(['dom']));
  expect(shown()).toBe('live dom');
  act(() => screen.getByText('none').click());
  expect(shown()).toBe('waiting ');
  await released();
  expect(told.map(({ room, attendance }) => `${room} ${attendance}`)).toEqual(['lobby 0', 'studio 0', 'lobby 2', 'studio 2']);
});

test('who looks at a room shares what a member of the same tab sees', async () => {
  const { client, told, show } = clientWithRooms();
  renderWith(
    client,
    <>
      <People room="lobby" />
      <Onlooker />
    </>,
  );
  act(() => show(['matt']));
  expect(shown()).toBe('live matt');
  expect(shown('onlooker')).toBe('matt');
  await released();
  expect(told.filter(({ attendance }) => attendance === 0).every(({ member }) => member)).toBe(true);
});

test('renders on a server, where nobody is anywhere', () => {
  const { client, told } = clientWithRooms();
  expect(renderToString(provide(client, <People room="lobby" />))).toContain('waiting');
  expect(told).toEqual([]);
});
