'use client';

/**
 * Hooks for who else is here, over `@ankurah-go/client/presence`. They are a part of their own,
 * `@ankurah-go/react/presence`, so that pages that do not use them do not load them.
 *
 * @module
 */
import type { Client } from '@ankurah-go/client';
import {
  enterRoom,
  unknownRoom,
  watchRoom,
  type PresenceState,
  type Room,
  type RoomMember,
  type RoomSnapshot,
  type WatchedRoom,
} from '@ankurah-go/client/presence';
import { useCallback, useRef, useSyncExternalStore } from 'react';

import { useClient } from './provider.ts';

/** What {@link usePresence} returns. */
export interface Presence<S extends PresenceState> extends RoomSnapshot<S> {
  /** Changes what others see of this tab; it does not render the component. The same with each render. */
  readonly set: (state: Partial<S>) => void;
}

/**
 * Is in a room for as long as the component is shown, and shows who else is.
 *
 * ```tsx
 * const { others, set } = usePresence<{ name: string; typing: boolean }>('album/1', { name, typing: false })
 * return (
 *   <>
 *     <input onFocus={() => set({ typing: true })} onBlur={() => set({ typing: false })} />
 *     {others.map(({ id, state }) => <span key={id}>{state.name}{state.typing ? ' is typing' : ''}</span>)}
 *   </>
 * )
 * ```
 *
 * @param room - Another room may be given at any render; null, undefined or false is none.
 * @param initial - What others see at first. Later values are not looked at: `set` changes it.
 */
export function usePresence<S extends PresenceState>(room: string | null | undefined | false, initial: S): Presence<S> {
  const state = useRef<Partial<S>>(initial);
  const present = useRef<Room<S> | undefined>(undefined);
  const open = useCallback((client: Client, name: string): WatchedRoom<S> => {
    const entered = enterRoom<S>(client, name, state.current as S);
    present.current = entered;
    return entered;
  }, []);
  const set = useCallback((change: Partial<S>): void => {
    state.current = { ...state.current, ...change };
    present.current?.set(change);
  }, []);
  return { ...useRoom<S>(room, open), set };
}

/**
 * Shows who is in a room, without being seen there; the tab itself is not among them, if it is there
 * by {@link usePresence}.
 *
 * ```tsx
 * const readers = useOthers<{ name: string }>(`album/${id}`)
 * ```
 */
export function useOthers<S extends PresenceState = PresenceState>(room: string | null | undefined | false): readonly RoomMember<S>[] {
  return useRoom<S>(room, watchRoom).others;
}

/** Opens a room while the component is shown, and shows what is there. */
function useRoom<S extends PresenceState>(
  room: string | null | undefined | false,
  open: (client: Client, name: string) => WatchedRoom<S>,
): RoomSnapshot<S> {
  const client = useClient();
  const shown = useRef<{ readonly client: Client; readonly watched: WatchedRoom<S> } | undefined>(undefined);
  const subscribe = useCallback(
    (listener: () => void) => {
      if (!room) return () => {};
      const watched = open(client, room);
      shown.current = { client, watched };
      const stop = watched.snapshot.subscribe(listener);
      return () => {
        stop();
        watched.leave();
      };
    },
    [client, room, open],
  );
  const getSnapshot = (): RoomSnapshot<S> => {
    const now = shown.current;
    return now !== undefined && now.client === client && now.watched.name === room ? now.watched.snapshot.peek() : unknownRoom;
  };
  return useSyncExternalStore(subscribe, getSnapshot, () => unknownRoom);
}
