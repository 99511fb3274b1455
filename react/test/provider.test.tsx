import { render } from '@testing-library/react';
import type { Client, Receipt, Transaction } from '@ankurah-go/client';
import type { ReactElement } from 'react';
import { expect, test, vi } from 'vitest';

import { AnkurahProvider, useClient, useEntity, useLiveQuery, useStatus, useTransact } from '../src/mod.ts';
import { Album } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { lastOf, provide, renderWith } from './render.tsx';

test.each<[string, () => unknown]>([
  ['useClient', () => useClient()],
  ['useLiveQuery', () => useLiveQuery(Album)],
  ['useEntity', () => useEntity(Album, 'a')],
  ['useTransact', () => useTransact()],
  ['useStatus', () => useStatus()],
])('%s outside of a provider says what to do', (_, useHook) => {
  const silence = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  function Outside(): ReactElement {
    useHook();
    return <p />;
  }
  expect(() => render(<Outside />)).toThrow('There is no <AnkurahProvider> above');
  silence.mockRestore();
});

test('the nearest provider counts', () => {
  const outer = new FakeClient();
  const inner = new FakeClient();
  const seen: Client[] = [];
  function Probe(): ReactElement {
    seen.push(useClient());
    return <p />;
  }
  renderWith(
    outer,
    <>
      <Probe />
      <AnkurahProvider client={inner}>
        <Probe />
      </AnkurahProvider>
    </>,
  );
  expect(seen).toEqual([outer, inner]);
});

test('the provider does not close the client that it was given', () => {
  const client = new FakeClient();
  const close = vi.spyOn(client, 'close');
  renderWith(client, <p />).unmount();
  expect(close).not.toHaveBeenCalled();
});

function renderTransact(client: FakeClient): { seen: Client['transact'][]; rerender: (client: FakeClient) => void } {
  const seen: Client['transact'][] = [];
  function Probe(): ReactElement {
    seen.push(useTransact());
    return <p />;
  }
  const { rerender } = renderWith(client, <Probe />);
  return { seen, rerender: next => rerender(provide(next, <Probe />)) };
}

test('useTransact runs a transaction of the client and hands over its receipt', async () => {
  const client = new FakeClient();
  const { seen } = renderTransact(client);
  const calls: Transaction[] = [];
  const receipt: Receipt = await lastOf(seen)(tx => void calls.push(tx));
  expect(calls).toHaveLength(1);
  await expect(receipt.synced).resolves.toBeUndefined();
});

test('useTransact passes the options on and rejects with what the callback threw', async () => {
  const client = new FakeClient();
  const transact = vi.spyOn(client, 'transact');
  const { seen } = renderTransact(client);
  const options = { signal: new AbortController().signal };
  const failing = (): void => {
    throw new Error('changed my mind');
  };
  await expect(lastOf(seen)(failing, options)).rejects.toThrow('changed my mind');
  expect(transact).toHaveBeenCalledExactlyOnceWith(failing, options);
});

test('useTransact returns one function for one client', () => {
  const client = new FakeClient();
  const { seen, rerender } = renderTransact(client);
  rerender(client);
  rerender(new FakeClient());
  expect(seen[1]).toBe(seen[0]);
  expect(seen[2]).not.toBe(seen[0]);
});
