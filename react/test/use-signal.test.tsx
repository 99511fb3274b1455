import { batch, computed, signal, type ReadonlySignal } from '@preact/signals-core';
import { act, screen } from '@testing-library/react';
import type { ReactElement } from 'react';
import { expect, test } from 'vitest';

import { useRejections, useSignal, useStatus } from '../src/mod.ts';
import { FakeClient } from './fake-client.ts';
import { provide, renderWith } from './render.tsx';

interface ProbeProps<T> {
  readonly of: ReadonlySignal<T>;
  readonly seen?: T[];
}

function Probe<T>({ of, seen }: ProbeProps<T>): ReactElement {
  const value = useSignal(of);
  seen?.push(value);
  return <p data-testid="probe">{String(value)}</p>;
}

const shown = (): string | null => screen.getByTestId('probe').textContent;

test('shows the value of a signal and its changes', () => {
  const counter = signal(1);
  renderWith(new FakeClient(), <Probe of={counter} />);
  expect(shown()).toBe('1');
  act(() => void (counter.value = 2));
  expect(shown()).toBe('2');
});

test('shows a computed signal, and renders only when its own value changed', () => {
  const counter = signal(1);
  const seen: boolean[] = [];
  renderWith(new FakeClient(), <Probe of={computed(() => counter.value > 10)} seen={seen} />);
  act(() => void (counter.value = 2));
  act(() => void (counter.value = 11));
  expect(seen).toEqual([false, true]);
});

test('renders once for a batch', () => {
  const left = signal('a');
  const right = signal('b');
  const seen: string[] = [];
  function Both(): ReactElement {
    seen.push(useSignal(left) + useSignal(right));
    return <p />;
  }
  renderWith(new FakeClient(), <Both />);
  act(() =>
    batch(() => {
      left.value = 'c';
      right.value = 'd';
    }),
  );
  expect(seen).toEqual(['ab', 'cd']);
});

test('takes a function as a value, not as something to call', () => {
  const call = signal(() => 'called');
  renderWith(new FakeClient(), <Probe of={call} />);
  expect(shown()).not.toBe('called');
});

test('moves to another signal and forgets the first', () => {
  const first = signal('first');
  const second = signal('second');
  const seen: string[] = [];
  const client = new FakeClient();
  const { rerender } = renderWith(client, <Probe of={first} seen={seen} />);
  rerender(provide(client, <Probe of={second} seen={seen} />));
  expect(shown()).toBe('second');
  act(() => void (first.value = 'not heard'));
  expect(seen).toEqual(['first', 'second']);
});

test.each([false, true])('subscribes once and leaves nothing subscribed (StrictMode: %s)', strict => {
  let subscribers = 0;
  const watched = {
    peek: () => 'value',
    subscribe: () => {
      subscribers++;
      return () => void subscribers--;
    },
  };
  function Watch(): ReactElement {
    return <p>{useSignal(watched)}</p>;
  }
  const { unmount } = renderWith(new FakeClient(), <Watch />, strict);
  expect(subscribers).toBe(1);
  unmount();
  expect(subscribers).toBe(0);
});

test('useStatus shows connection, pending count and error of the client', () => {
  const client = new FakeClient();
  function Status(): ReactElement {
    const { connection, pending, error } = useStatus();
    return <p data-testid="probe">{`${connection} ${pending} ${error?.code ?? 'fine'}`}</p>;
  }
  renderWith(client, <Status />);
  expect(shown()).toBe('connecting 0 fine');
  act(() => void (client.status.value = { ...client.status.value, connection: 'live', pending: 3 }));
  expect(shown()).toBe('live 3 fine');
});

test('shows the rejections of the client as they come', () => {
  const client = new FakeClient();
  function Rejections(): ReactElement {
    return (
      <p data-testid="probe">
        {useRejections()
          .map(({ code, message }) => `${code}: ${message}`)
          .join()}
      </p>
    );
  }
  renderWith(client, <Rejections />);
  act(
    () =>
      void (client.rejections.value = [
        { transaction: 't', code: 'denied', message: 'albums are closed today', time: new Date(0), changes: [] },
      ]),
  );
  expect(shown()).toBe('denied: albums are closed today');
});
