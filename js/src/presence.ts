/**
 * Who else is here: rooms in which the people who use an application see each other, with a small
 * state each that is stored nowhere. It is a part of its own, `@ankurah-go/client/presence`, so that
 * pages that do not use it do not load it.
 *
 * @module
 */
import { signal, type ReadonlySignal, type Signal } from '@preact/signals-core';

import { callOut } from './assert.ts';
import type { Client } from './client.ts';
import { ClientError } from './errors.ts';
import type { Reader } from './msgpack.ts';
import { encodeState, gone, here, readMembers, writeAttend, type PresenceState, type RoomMember } from './presence-frames.ts';
import { extensions, type Session } from './session.ts';

export type { PresenceState, RoomMember } from './presence-frames.ts';

/** How a room is shown. */
export interface RoomSnapshot<S extends PresenceState = PresenceState> {
  /** `waiting` without a connection, or an answer; `live` when in step; `refused` with an error. */
  readonly status: 'waiting' | 'live' | 'refused';
  /** Why it was refused (`denied`, `limit`, `too-large`). */
  readonly error: ClientError | undefined;
  /** By which others know this tab; undefined while it only watches, and until the node is open. */
  readonly self: string | undefined;
  /** Everybody else who is there, those who came first before the others. */
  readonly others: readonly RoomMember<S>[];
}

/** A room that this page looks at. */
export interface WatchedRoom<S extends PresenceState = PresenceState> {
  /** The room's name. */
  readonly name: string;
  /** What is to be shown, as a signal. */
  readonly snapshot: ReadonlySignal<RoomSnapshot<S>>;
  /** Ends it. Leaving twice is harmless. */
  leave(): void;
}

/** A room that this tab is in. */
export interface Room<S extends PresenceState = PresenceState> extends WatchedRoom<S> {
  /**
   * Changes what others see: the given names, and no others. It may be called as often as a pointer
   * moves: the latest is sent, some twenty times a second.
   *
   * @throws {ClientError} `schema` for a value that is no state's.
   */
  set(state: Partial<S>): void;
}

/**
 * Enters a room. Without a connection it waits for one; a connection that is lost for a moment, or a
 * page that is loaded anew, shows nobody that it was.
 *
 * ```ts
 * import { createClient, defineModel, f } from '@ankurah-go/client'
 * import { enterRoom } from '@ankurah-go/client/presence'
 *
 * const Album = defineModel('album', { name: f.text() })
 * const client = createClient({ name: 'my-app', models: [Album] })
 *
 * const room = enterRoom<{ name: string; x?: number; y?: number }>(client, 'album/1', { name: 'Matt' })
 * addEventListener('pointermove', ({ clientX: x, clientY: y }) => room.set({ x, y }))
 * room.snapshot.subscribe(({ others }) => console.log(others.map(({ state }) => state.name)))
 * room.leave()
 * ```
 *
 * A tab is one member of a room, however often it enters: what it says last of each name counts.
 */
export function enterRoom<S extends PresenceState>(client: Client, name: string, state: S): Room<S> {
  const attending = roomsOf(client).room(name);
  attending.say(state);
  const leave = attending.join(true);
  const set = (change: Partial<S>): void => attending.say(change);
  return Object.freeze({ name, snapshot: attending.snapshot as unknown as ReadonlySignal<RoomSnapshot<S>>, leave, set });
}

/** Looks at a room without being seen there. */
export function watchRoom<S extends PresenceState = PresenceState>(client: Client, name: string): WatchedRoom<S> {
  const attending = roomsOf(client).room(name);
  const leave = attending.join(false);
  return Object.freeze({ name, snapshot: attending.snapshot as unknown as ReadonlySignal<RoomSnapshot<S>>, leave });
}

/** What is shown before there is anything to show, and on a server. */
export const unknownRoom: RoomSnapshot<never> = Object.freeze({
  status: 'waiting',
  error: undefined,
  self: undefined,
  others: Object.freeze([]),
});

/** How long a room that was left is kept, for who enters again at once, as React does while developing. */
const leaveDelay = 10;

/** The rooms of one client. */
class Rooms {
  readonly session: Session;
  readonly key: Uint8Array;
  readonly #rooms = new Map<string, Attending>();
  readonly #byNumber = new Map<number, Attending>();
  #last = 0;

  constructor(session: Session, name: string) {
    this.session = session;
    this.key = takeKey(name);
    session.extension = {
      open: () => {
        this.#byNumber.clear();
        for (const room of this.#rooms.values()) room.begin();
      },
      members: r => {
        this.#byNumber.get(r.number())?.read(r);
      },
    };
  }

  room(name: string): Attending {
    let room = this.#rooms.get(name);
    if (room === undefined) this.#rooms.set(name, (room = new Attending(this, name)));
    return room;
  }

  number(room: Attending): number {
    this.#byNumber.set(++this.#last, room);
    return this.#last;
  }

  forget(number: number): void {
    this.#byNumber.delete(number);
  }

  drop(name: string): void {
    this.#rooms.delete(name);
  }
}

/** One room, for all of a page who are in it or look at it. */
class Attending {
  readonly snapshot: Signal<RoomSnapshot> = signal<RoomSnapshot>(unknownRoom);
  readonly #rooms: Rooms;
  readonly #name: string;
  readonly #members = new Map<string, RoomMember>();
  #state: PresenceState = {};
  /** It, as it is sent. */
  #said = '';
  #inside = 0;
  #watching = 0;
  /** Under which the node knows it, and whether as a member; 0 while it does not. */
  #number = 0;
  #member = false;

  constructor(rooms: Rooms, name: string) {
    this.#rooms = rooms;
    this.#name = name;
  }

  /** Counts one more who is in the room, or looks at it, until what it returns is called. */
  join(inside: boolean): () => void {
    const count = (by: number): void => {
      if (inside) this.#inside += by;
      else this.#watching += by;
    };
    count(1);
    this.#settle();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      setTimeout(() => {
        count(-1);
        this.#settle();
      }, leaveDelay);
    };
  }

  /** Changes what is said; it is sent at the end of the present task. */
  say(change: PresenceState): void {
    const state = { ...this.#state, ...change };
    const said = encodeState(state).join(); // throws where it cannot be said
    this.#state = state;
    if (said === this.#said) return;
    this.#said = said;
    if (this.#number > 0 && this.#member) this.#send(here);
  }

  /** Tells a node that knows nothing yet. */
  begin(): void {
    this.#number = 0;
    this.#settle();
  }

  /** Takes in what the node tells. */
  read(r: Reader): void {
    const { status, error, self, reset, changed, left } = readMembers(r);
    if (reset) this.#members.clear();
    for (const member of changed) this.#members.set(member.id, member);
    for (const id of left) this.#members.delete(id);
    const others = [...this.#members.values()].sort((a, b) => +a.since - +b.since || (a.id < b.id ? -1 : 1));
    callOut(() => {
      this.snapshot.value = Object.freeze({ status, error, self, others: Object.freeze(others) });
    });
  }

  /** Tells the node of what the page wants, where that is another thing than it knows. */
  #settle(): void {
    const member = this.#inside > 0;
    const wanted = member || this.#watching > 0;
    if (this.#number > 0 && (!wanted || member !== this.#member)) {
      this.#send(gone);
      this.#rooms.forget(this.#number);
      this.#number = 0;
    }
    if (!wanted) {
      this.#rooms.drop(this.#name);
    } else if (this.#number === 0 && this.#rooms.session.open) {
      this.#number = this.#rooms.number(this);
      this.#member = member;
      this.#send(here);
    }
  }

  #send(attendance: number): void {
    const [number, key] = [this.#number, this.#member ? this.#rooms.key : undefined];
    const state = attendance === here && this.#member ? this.#state : undefined;
    this.#rooms.session.send(w => writeAttend(w, number, this.#name, key, attendance, state));
  }
}

const roomsBySession = new WeakMap<Session, Rooms>();

function roomsOf(client: Client): Rooms {
  const session = extensions.get(client);
  if (session === undefined) throw new ClientError('invalid', 'presence needs a client of createClient');
  let rooms = roomsBySession.get(session);
  if (rooms === undefined) roomsBySession.set(session, (rooms = new Rooms(session, client.name)));
  return rooms;
}

/**
 * Returns the secret by which this tab is one member. It is kept while the page is loaded anew, and
 * not in the copy that a duplicated tab has: storage holds it between two pages only.
 */
function takeKey(client: string): Uint8Array {
  const place = `ankurah-member:${client}`;
  const key = crypto.getRandomValues(new Uint8Array(16));
  try {
    const kept = sessionStorage.getItem(place);
    sessionStorage.removeItem(place);
    const bytes = kept?.split(',').map(Number) ?? [];
    if (bytes.length === key.length) key.set(bytes);
    addEventListener('pagehide', () => sessionStorage.setItem(place, key.join()));
    addEventListener('pageshow', () => sessionStorage.removeItem(place));
  } catch {
    // There is no such storage, or it is forbidden: a page that is loaded anew is another member.
  }
  return key;
}
