// @vitest-environment node
import { expect, test } from 'vitest';
import { createClient } from '@ankurah-go/client';
import type { ReactElement } from 'react';
import { renderToString } from 'react-dom/server';

import { AnkurahProvider, useEntity, useLiveQuery, useSignal, useStatus, useTransact } from '../src/mod.ts';
import { Album, album } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { provide } from './render.tsx';

test('there is no window here, and nothing misses it', () => {
  expect(typeof window).toBe('undefined');
});

test('every hook renders on a server, without opening anything', () => {
  const client = new FakeClient();
  client.answer = () => [album('Not on the server')];
  function Everything(): ReactElement {
    const query = useLiveQuery(Album, 'year > ?', [2000]);
    const entity = useEntity(Album, 'a');
    const skipped = useLiveQuery(Album, null);
    useTransact();
    return <p>{[query.status, query.data.length, entity.status, skipped.status, useStatus().connection].join()}</p>;
  }
  expect(renderToString(provide(client, <Everything />))).toBe('<p>loading,0,loading,loading,connecting</p>');
  expect(client.opened).toEqual([]);
});

test('a client that refuses everything does not stop a server from rendering', () => {
  const client = new FakeClient();
  client.refuse = new TypeError('there is no worker here');
  function Query(): ReactElement {
    return <p>{useLiveQuery(Album).status}</p>;
  }
  expect(renderToString(provide(client, <Query />))).toBe('<p>loading</p>');
});

test('a signal shows its value, or the one named for the server', () => {
  const client = new FakeClient();
  const zoom = { peek: () => 'from the browser', subscribe: () => () => undefined };
  function Signal({ server }: { readonly server?: string }): ReactElement {
    return <p>{useSignal(zoom, server)}</p>;
  }
  expect(renderToString(provide(client, <Signal />))).toBe('<p>from the browser</p>');
  expect(renderToString(provide(client, <Signal server="from the server" />))).toBe('<p>from the server</p>');
});

test('the real client can be made on a server, and renders as not started', async () => {
  const client = createClient({ name: 'on-a-server', url: 'ws://localhost:1', models: [Album] });
  function Page(): ReactElement {
    return <p>{[useLiveQuery(Album).status, useEntity(Album, 'a').status, useStatus().connection].join()}</p>;
  }
  const page = (
    <AnkurahProvider client={client}>
      <Page />
    </AnkurahProvider>
  );
  expect(renderToString(page)).toBe('<p>loading,loading,connecting</p>');
  await client.close();
});
