'use client';

import { useCallback, useSyncExternalStore } from 'react';

/** What {@link useSignal} needs of a signal; those of the client, and of `@preact/signals-core`, have it. */
export interface ReadableSignal<T> {
  /** Returns the present value without depending on it. */
  peek(): T;
  /** Calls `listener` with every value. Returns what ends it. */
  subscribe(listener: (value: T) => void): () => void;
}

/**
 * Shows the value of a signal, and renders again when it changes.
 *
 * ```tsx
 * const rejections = useSignal(useClient().rejections)
 * ```
 *
 * @param signal - Another signal may be given at any render.
 * @param serverValue - What to show on a server and while hydrating; default the present value, which
 *   is right for signals that have the same value on both sides.
 */
export function useSignal<T>(signal: ReadableSignal<T>, serverValue?: T): T {
  const subscribe = useCallback((listener: () => void) => signal.subscribe(listener), [signal]);
  const getSnapshot = (): T => signal.peek();
  const getServerSnapshot = (): T => (serverValue === undefined ? signal.peek() : serverValue);
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
}
