import type { Aggregation } from './aggregate.ts';
import { callOut } from './assert.ts';
import { ClientError } from './errors.ts';
import type { LiveSnapshot, LiveStatus, Params } from './live.ts';
import type { AnyModel } from './model.ts';
import { RowList } from './row-list.ts';
import { sameRow, type Row, type RowReader } from './row.ts';
import type { Change, Delta, DeltaTarget, GroupsDelta, Window, WindowState } from './wire.ts';

/** What every live result of the package shows, before the public signatures give it its type. */
export type Snapshot = LiveSnapshot<readonly Row[]> & { readonly window?: WindowState | undefined; readonly pin?: number };

const noRows: readonly Row[] = Object.freeze([]);

/** Returns a frozen snapshot. */
export function snapshotOf<T>(data: T, status: LiveStatus, error: ClientError | undefined): LiveSnapshot<T> {
  if (status !== 'error') return Object.freeze({ data, status, error: undefined });
  return Object.freeze({ data, status, error: error ?? new ClientError('internal', 'no reason was given') });
}

/** What a live query asks: rows or groups of a selection, all of them or a part. */
export interface Asked {
  readonly model: AnyModel;
  readonly text: string;
  readonly params: Params | undefined;
  readonly aggregation?: Aggregation | undefined;
  readonly window?: Window | undefined;
  readonly pin?: number;
}

/** One selection that the node keeps true for all results on this page that are equal. */
export class LiveQuery implements Asked, DeltaTarget {
  readonly key: string;
  readonly model: AnyModel;
  readonly text: string;
  readonly params: Params | undefined;
  /** What is asked of groups; then these are the rows. */
  readonly aggregation: Aggregation | undefined;
  reader: RowReader | undefined;
  /** The number under which the node knows it. */
  wireId = 0;
  /** Results that keep it open. */
  holders = 0;
  /** Ends the wait after which a query that nobody holds is closed. */
  release: ReturnType<typeof setTimeout> | undefined;
  /** The part of the rows that was asked for last, of a query that shows only a part. */
  window: Window | undefined;
  /** A place among the rows that is kept: whatever comes and goes before it, it is of the same row. */
  pin: number;

  readonly #rows = new RowList<Row>();
  /** Rows of another result whose identity is kept where they are the same. */
  #seed: readonly Row[];
  #parts: Change[] = [];
  /** The groups by id, of one whose rows are groups. */
  readonly #groups = new Map<string, Row>();
  #snapshot: Snapshot = snapshotOf(noRows, 'loading', undefined);
  #stale = false;
  #status: LiveStatus = 'loading';
  /** What part the rows are, of a query with a window. */
  #state: WindowState | undefined;
  #error: ClientError | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(key: string, { model, text, params, aggregation, window, pin = 0 }: Asked, seed: readonly Row[]) {
    this.key = key;
    this.model = model;
    this.text = text;
    this.params = params;
    this.aggregation = aggregation;
    this.window = window;
    this.pin = pin;
    this.#seed = seed;
  }

  /** The present snapshot. It is made when it is asked for: changes in between cost nothing. */
  get snapshot(): Snapshot {
    if (this.#stale) {
      this.#stale = false;
      this.#snapshot = this.#show();
    }
    return this.#snapshot;
  }

  /** Calls `listener` at every `notify`, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Tells the listeners that there is another snapshot. */
  notify(): void {
    for (const listener of [...this.#listeners]) callOut(listener);
  }

  /** Takes in a part of what happened to groups, and with the last part all of it. */
  applyGroups({ groups, reset, ...delta }: GroupsDelta): void {
    if (reset) this.#groups.clear();
    for (const { id, row } of groups) {
      if (row === undefined) this.#groups.delete(id);
      else this.#groups.set(id, row);
    }
    if (delta.more) return;
    const rows = [...this.#groups.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.apply({ ...delta, reset: true, changes: rows.map((row, to) => ({ from: -1, to, row })), window: undefined });
  }

  /** Called when something changed; set by the store, which notifies at the end of a frame. */
  onChange: (() => void) | undefined;

  /** Takes in a part of a change set, and with the last part all of it. */
  apply(delta: Delta): void {
    if (delta.more || this.#parts.length > 0) for (const change of delta.changes) this.#parts.push(change);
    if (delta.more) return;
    const changes = this.#parts.length > 0 ? this.#parts : delta.changes;
    this.#parts = [];
    const moved = delta.reset ? this.#reset(changes) : this.#move(changes);
    const told =
      delta.status !== this.#status || delta.error !== undefined || this.#error !== undefined || delta.window !== undefined;
    if (delta.window !== undefined) this.#state = delta.window;
    this.#status = delta.status;
    this.#error = delta.error;
    if (moved) this.#rowsChanged = true;
    if (moved || told) this.#changed();
  }

  /** Nobody keeps the rows true for the moment; they stay. */
  suspend(): void {
    this.#parts = [];
    if (this.#status !== 'live') return;
    this.#status = 'local';
    this.#changed();
  }

  /** Shows an error; the rows stay. */
  fail(error: ClientError): void {
    this.#status = 'error';
    this.#error = error;
    this.#changed();
  }

  #rowsChanged = false;

  #show(): Snapshot {
    const snapshot = snapshotOf(this.#data(), this.#status, this.#error);
    return this.window === undefined ? snapshot : Object.freeze({ ...snapshot, window: this.#state, pin: this.pin });
  }

  #changed(): void {
    this.#stale = true;
    this.onChange?.();
  }

  #data(): readonly Row[] {
    if (!this.#rowsChanged) return this.#snapshot.data;
    this.#rowsChanged = false;
    return Object.freeze(this.#rows.toArray());
  }

  /** Replaces all rows, keeping those that are the same; says whether the list is another one. */
  #reset(changes: readonly Change[]): boolean {
    const before = this.#rows.length > 0 ? this.#rows.toArray() : this.#seed;
    const known = new Map(before.map(row => [row.id, row]));
    const was = this.#rows.length;
    this.#seed = noRows;
    this.#rows.clear();
    for (const { to, row } of changes) {
      if (row !== undefined) this.#rows.insert(to, kept(known.get(row.id), row));
    }
    const after = this.#rows.toArray();
    if (this.window !== undefined) this.pin = placeOf(before.slice(this.pin), after) ?? Math.min(this.pin, after.length);
    if (was !== after.length) return true;
    return after.some((row, i) => row !== before[i]);
  }

  #move(changes: readonly Change[]): boolean {
    let changed = false;
    for (const { from, to, row, same } of changes) {
      if (from >= 0 && from === to && row !== undefined) {
        const before = this.#rows.at(from);
        const after = kept(before, row, same);
        if (after === before) continue;
        this.#rows.replace(from, after);
      } else {
        const before = from >= 0 ? this.#rows.remove(from) : undefined;
        if (from >= 0 && from < this.pin) this.pin--;
        if (to >= 0 && row !== undefined) {
          this.#rows.insert(to, kept(before, row, same));
          if (to <= this.pin) this.pin++;
        }
      }
      changed = true;
    }
    return changed;
  }
}

/** Returns where the first of the rows that is still there stands now. */
function placeOf(rows: readonly Row[], now: readonly Row[]): number | undefined {
  const places = new Map(now.map((row, i) => [row.id, i]));
  for (const { id } of rows) {
    const place = places.get(id);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** Returns the row that was there before if it reads the same, so that its identity stays. */
function kept(before: Row | undefined, row: Row, same?: boolean): Row {
  const now = same ? Object.freeze({ ...before, ...row }) : row;
  return before !== undefined && before.id === row.id && sameRow(before, now) ? before : now;
}
