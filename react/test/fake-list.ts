import type { LiveStatus, LiveWindow, WindowAnchor, WindowRange, WindowSnapshot } from '@ankurah-go/client';
import { ClientError } from '@ankurah-go/client';

/** A row of a long list, sorted by its name. */
export interface Item {
  readonly id: string;
  readonly name: string;
}

/** Makes the row that stands at a place of a list of even names. */
export function item(place: number): Item {
  return named(String(2 * place).padStart(8, '0'));
}

/** Makes a row of a name. */
export function named(name: string): Item {
  return Object.freeze({ id: `id of ${name}`, name });
}

/** A long list and the windows on it, as the node keeps them: what they show changes when a test says so. */
export class FakeList {
  rows: readonly Item[];
  status: LiveStatus = 'live';
  readonly windows: FakeWindow[] = [];

  constructor(length: number) {
    this.rows = Array.from({ length }, (_, place) => item(place));
  }

  get open(): readonly FakeWindow[] {
    return this.windows.filter(window => window.listeners > 0);
  }

  /** Puts rows in, by their names, and takes others out. */
  edit(change: { readonly put?: readonly Item[]; readonly take?: readonly Item[] }): void {
    const gone = new Set(change.take?.map(({ id }) => id));
    this.rows = [...this.rows.filter(({ id }) => !gone.has(id)), ...(change.put ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Lets every window show what it should. */
  answer(): void {
    for (const window of this.open) window.answer();
  }

  /** Answers until nobody asks for anything more. */
  settle(): void {
    for (let rounds = 0; this.open.some(window => window.waits); rounds++) {
      if (rounds > 100) throw new Error('it never rests');
      this.answer();
    }
  }
}

/** A window on a list: slow, and otherwise as simple as can be. */
export class FakeWindow implements LiveWindow<Item> {
  /** Every range that was asked for. */
  readonly ranges: WindowRange[] = [];
  /** Whether it was asked for something since it last answered. */
  waits = true;
  readonly #list: FakeList;
  readonly #listeners = new Set<() => void>();
  #snapshot: WindowSnapshot<Item> = Object.freeze({ data: [], status: 'loading', error: undefined });
  /** The place that the anchor was looked up to be. */
  #anchor: { readonly position: string | undefined } | undefined;
  #pin = 0;

  constructor(list: FakeList, range: WindowRange) {
    this.#list = list;
    this.ranges.push(range);
  }

  get data(): readonly Item[] {
    return this.#snapshot.data;
  }

  get status(): LiveStatus {
    return this.#snapshot.status;
  }

  get error(): ClientError | undefined {
    return this.#snapshot.error;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  readonly getSnapshot = (): WindowSnapshot<Item> => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  };

  readonly move = (range: WindowRange): void => {
    this.ranges.push(range);
    this.#anchor = undefined;
    this.waits = true;
  };

  readonly pin = (place: number): void => {
    this.#pin = place;
  };

  dispose(): void {}

  /** Shows the rows that belong to the range now: those of the list, or as far as the device has them. */
  answer(held?: readonly Item[]): void {
    const rows = held ?? this.#list.rows;
    const range = this.ranges.at(-1)!;
    const { position, place } = this.#place(range.anchor, rows);
    const from = Math.max(0, place - range.before);
    const to = Math.min(rows.length, place + range.after);
    const data = rows.slice(from, to);
    this.#follow(data);
    this.waits = held !== undefined;
    this.say({
      data,
      status: held === undefined ? 'live' : 'local',
      error: undefined,
      window: {
        anchor: place - from,
        hasBefore: from > 0,
        hasAfter: to < rows.length,
        first: data[0]?.name,
        last: data.at(-1)?.name,
        position,
      },
      pin: this.#pin,
    });
  }

  fail(code: 'denied' | 'storage'): void {
    this.waits = false;
    this.say({ ...this.#snapshot, status: 'error', error: new ClientError(code, 'it cannot be answered') });
  }

  #place(anchor: WindowAnchor, rows: readonly Item[]): { readonly position: string | undefined; readonly place: number } {
    if (anchor === 'start') return { position: undefined, place: 0 };
    if (anchor === 'end') return { position: undefined, place: rows.length };
    // What is looked up, is looked up once, by whoever knows all rows.
    this.#anchor ??= { position: this.#lookUp(anchor) };
    const { position = '' } = this.#anchor;
    return { position, place: rows.filter(({ name }) => name < position).length };
  }

  #lookUp(anchor: Exclude<WindowAnchor, string>): string | undefined {
    const { rows } = this.#list;
    if ('cursor' in anchor) return anchor.cursor;
    if ('index' in anchor) return rows[Math.min(anchor.index, rows.length - 1)]?.name;
    return rows.find(({ id }) => id === anchor.entity)?.name ?? '';
  }

  #follow(data: readonly Item[]): void {
    const before = this.data;
    const survivor = before.slice(this.#pin).find(({ id }) => data.some(row => row.id === id));
    this.#pin = survivor === undefined ? Math.min(this.#pin, data.length) : data.findIndex(row => row.id === survivor.id);
  }

  /** Shows what a test says. */
  say(snapshot: WindowSnapshot<Item>): void {
    this.#snapshot = Object.freeze(snapshot);
    for (const listener of [...this.#listeners]) listener();
  }
}
