import { act } from '@testing-library/react';
import { useEffect, type ReactElement } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { expect, test, vi } from 'vitest';

import { useLiveQuery, useStatus } from '../src/mod.ts';
import { Album, album } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { provide, released } from './render.tsx';

test('hydrating takes over what the server rendered without complaint, then shows what this device has', async () => {
  const log: string[] = [];
  function Page(): ReactElement {
    const { status, data } = useLiveQuery(Album);
    const { connection } = useStatus();
    const text = `${status} ${data.map(row => row.name).join()} ${connection}`;
    useEffect(() => void log.push(text), [text]);
    return <p>{text}</p>;
  }
  const container = document.createElement('div');
  container.innerHTML = renderToString(provide(new FakeClient(), <Page />));
  const paragraph = container.querySelector('p');

  const client = new FakeClient(); // whose node is up, and connected, before React is
  client.answer = () => [album('Drones')];
  client.status.value = { ...client.status.value, connection: 'live' };
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const onRecoverableError = vi.fn();
  const root = await act(() => hydrateRoot(container, provide(client, <Page />), { onRecoverableError }));

  expect(container.querySelector('p')).toBe(paragraph);
  expect(container.textContent).toBe('local Drones live');
  expect(log.at(-1)).toBe('local Drones live');
  expect(onRecoverableError).not.toHaveBeenCalled();
  expect(complaints).not.toHaveBeenCalled();
  complaints.mockRestore();

  act(() => root.unmount());
  await released();
  expect(client.open.size).toBe(0);
});
