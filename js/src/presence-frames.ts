// What pages and the node say of rooms: kinds 30 and 50 of wire.ts.

import type { ClientError } from './errors.ts';
import { Reader, Writer } from './msgpack.ts';
import { ulidText } from './ulid.ts';
import { extId, readScalar, writeJson, writeJsonItem } from './value.ts';
import { readError } from './wire.ts';

/**
 * What a member says of itself: names with values. Numbers, texts, booleans, null, bytes, and what is
 * JSON; the server takes about 4 KB of it.
 */
export type PresenceState = { readonly [name: string]: unknown };

/** Somebody else in a room. It is the same object for as long as nothing of it changes. */
export interface RoomMember<S extends PresenceState = PresenceState> {
  /** Names the member: one tab of one browser, or one program. */
  readonly id: string;
  /** The principal, as the server knows it; undefined when anonymous. */
  readonly user: string | undefined;
  /** When it came, by the server's clock. */
  readonly since: Date;
  /** What it says of itself. A type says what is expected of others, and nobody checks it. */
  readonly state: S;
}

/** Whether a member is in a room. */
export const here = 0;
export const gone = 2;

const statuses = ['waiting', 'live', 'refused'] as const;

/** A part of what happened in a room. */
export interface MembersDelta {
  readonly status: 'waiting' | 'live' | 'refused';
  readonly error: ClientError | undefined;
  readonly self: string | undefined;
  /** Who was there before is forgotten. */
  readonly reset: boolean;
  readonly changed: readonly RoomMember[];
  readonly left: readonly string[];
}

/** Appends what is meant of a room; without a key it is only watched. */
export function writeAttend(
  w: Writer,
  number: number,
  room: string,
  key: Uint8Array | undefined,
  attendance: number,
  state: PresenceState | undefined,
): void {
  w.array(6);
  w.int(30);
  w.int(number);
  w.string(room);
  if (key === undefined) w.nil();
  else w.bytes(key);
  w.int(attendance);
  w.bytes(state === undefined ? new Uint8Array() : encodeState(state));
}

/** Reads what the node tells, after the room's number. */
export function readMembers(r: Reader): MembersDelta {
  const status = statuses[r.number()] ?? 'waiting';
  const error = readError(r);
  const self = r.nil() ? undefined : r.ulid();
  const reset = r.bool();
  const changed: RoomMember[] = [];
  for (let n = r.array(); n > 0; n--) {
    r.array();
    const id = r.ulid();
    const user = r.nil() ? undefined : r.string();
    const since = new Date(Math.floor(r.number() / 1000));
    changed.push(Object.freeze({ id, user, since, state: decodeState(r.bytes()) }));
  }
  const left: string[] = [];
  for (let n = r.array(); n > 0; n--) left.push(r.ulid());
  return { status, error, self, reset, changed, left };
}

const scratch = new Writer();

/** Writes a state as package proto's AppendFields does. */
export function encodeState(state: PresenceState): Uint8Array {
  const fields = Object.entries(state).filter(([, value]) => value !== undefined);
  scratch.truncate(0);
  scratch.array(2 * fields.length);
  for (const [name, value] of fields) {
    scratch.string(name);
    if (value instanceof Uint8Array) scratch.bytes(value);
    else if (typeof value === 'object' && value !== null) writeJson(scratch, value);
    else writeJsonItem(scratch, value, 0);
  }
  return scratch.peek();
}

/** Reads a value by what it is: there is no model. */
function readLoose(r: Reader): unknown {
  const { code } = r;
  if (code >= 0xc4 && code <= 0xc6) return r.bytes();
  const extension = (code >= 0xc7 && code <= 0xc9) || (code >= 0xd4 && code <= 0xd8);
  if (!extension || r.ext() !== extId) return readScalar(r);
  return ulidText(Uint8Array.from({ length: 16 }, () => r.byte()), 0);
}

function decodeState(bytes: Uint8Array): PresenceState {
  const state: { [name: string]: unknown } = {};
  if (bytes.length > 0) {
    const r = new Reader(bytes);
    for (let n = r.array(); n > 0; n -= 2) {
      const name = r.string();
      Object.defineProperty(state, name, { value: readLoose(r), enumerable: true });
    }
  }
  return Object.freeze(state);
}
