import { act, render, type RenderResult } from '@testing-library/react';
import type { LiveSnapshot } from '@ankurah-go/client';
import { StrictMode, type ReactElement, type ReactNode } from 'react';

import { AnkurahProvider } from '../src/mod.ts';
import { LINGER_MS, type FakeClient } from './fake-client.ts';

/** Everything that a hook returned, in order, one entry for each render. */
export type Seen<T> = LiveSnapshot<T>[];

/** Renders below a provider, in StrictMode or not. */
export function renderWith(client: FakeClient, children: ReactNode, strict = false): RenderResult {
  return render(provide(client, children, strict));
}

/** Wraps elements in a provider. */
export function provide(client: FakeClient, children: ReactNode, strict = false): ReactElement {
  const provided = <AnkurahProvider client={client}>{children}</AnkurahProvider>;
  return strict ? <StrictMode>{provided}</StrictMode> : provided;
}

/** Waits until the client has closed what nobody uses any more. */
export async function released(): Promise<void> {
  await act(() => new Promise(resolve => setTimeout(resolve, 3 * LINGER_MS)));
}

/** Returns the last of a list that must not be empty. */
export function lastOf<T>(list: readonly T[]): T {
  const last = list.at(-1);
  if (last === undefined) throw new Error('nothing was rendered');
  return last;
}
