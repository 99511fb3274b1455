import { ClientError } from '@ankurah-go/client';
import { startTransition, useLayoutEffect, type ReactElement } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { useLiveQuery, useStatus } from '../src/mod.ts';
import { Album, album } from './albums.ts';
import { FakeClient } from './fake-client.ts';
import { provide } from './render.tsx';

// These tests let React schedule for itself, in slices, as in a browser: no act().
declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean | undefined;
}

let root: Root;
let unhandled: unknown[];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  globalThis.IS_REACT_ACT_ENVIRONMENT = false;
  root = createRoot(document.createElement('div'));
  unhandled = [];
  process.on('unhandledRejection', note);
});

afterEach(() => {
  root.unmount();
  process.off('unhandledRejection', note);
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
});

/** Lets everything that is scheduled run, until `done`. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise(resolve => setTimeout(resolve));
}

/** Takes long enough to render that React yields between two of them. */
function spin(): void {
  const end = performance.now() + 8;
  while (performance.now() < end);
}

test('components of one commit never disagree, although the data changes between their renders', async () => {
  const client = new FakeClient();
  client.answer = () => [album('v0')];
  const commits: string[][] = [];
  let slices = 0;

  function Slow({ index, into }: { readonly index: number; readonly into: string[] }): ReactElement {
    const name = useLiveQuery(Album).data[0]?.name ?? 'none';
    slices++;
    spin();
    useLayoutEffect(() => void (into[index] = name));
    return <i>{name}</i>;
  }
  function All({ count }: { readonly count: number }): ReactElement {
    const into: string[] = [];
    useLayoutEffect(() => void commits.push(into));
    return (
      <>
        {Array.from({ length: count }, (_, index) => (
          <Slow key={index} index={index} into={into} />
        ))}
      </>
    );
  }

  startTransition(() => root.render(provide(client, <All count={6} />)));
  await until(() => slices >= 2);
  expect(commits).toEqual([]); // still rendering, in the middle
  client.liveQuery(Album).answer([album('v1')]);
  await until(() => commits.length > 0 && lastNames(commits) === 'v1');

  for (const names of commits) expect(new Set(names).size).toBe(1);
});

function lastNames(commits: string[][]): string {
  return [...new Set(commits.at(-1))].join();
}

test('a burst of changes, in one task, is one render', async () => {
  const client = new FakeClient();
  const seen: number[] = [];
  function Count(): ReactElement {
    seen.push(useLiveQuery(Album).data.length);
    return <p />;
  }
  root.render(provide(client, <Count />));
  await until(() => client.open.size === 1 && client.liveQuery(Album).listeners === 1);
  for (let length = 1; length <= 100; length++) {
    client.liveQuery(Album).answer(Array.from({ length }, (_, index) => album(`Album ${index}`)));
  }
  await until(() => seen.at(-1) === 100);
  expect(seen).toEqual([0, 100]);
});

test('queries that fail, a status with an error and a closed client leave no rejection unhandled', async () => {
  const client = new FakeClient();
  let text = '';
  function Everything(): ReactElement {
    text = `${useLiveQuery(Album).status} ${useStatus().connection}`;
    return <p />;
  }
  root.render(provide(client, <Everything />));
  await until(() => client.open.size === 1 && client.liveQuery(Album).listeners === 1);
  client.liveQuery(Album).fail(new ClientError('closed', 'the client was closed'));
  client.status.value = {
    ...client.status.value,
    connection: 'offline',
    error: new ClientError('offline', 'the server does not answer'),
  };
  await until(() => text === 'error offline');
  root.unmount();
  await client.close();
  await new Promise(resolve => setTimeout(resolve));
  expect(unhandled).toEqual([]);
});
