import type {
  ClientStatus,
  EntityId,
  LiveSnapshot,
  LiveStatus,
  LiveWindow,
  WindowAnchor,
  WindowRange,
  WindowSnapshot,
  WindowState,
} from '@ankurah-go/client';

import { unlessRefused } from './refusal.ts';
import { NO_ROWS } from './use-live.ts';
import type { ReadableSignal } from './use-signal.ts';

/** A place in a list: its start, its end, the row of a number from 0, or the row of an entity. */
export type ListPlace = 'start' | 'end' | number | EntityId;

/** How a list is opened, and how much of it is held. */
export interface InfiniteListOptions {
  /** How many rows are fetched at a time; default 50. */
  readonly pageSize?: number | undefined;
  /** Where the list is opened; default `start`. */
  readonly anchor?: ListPlace | undefined;
  /** How many rows are held at most: what is farthest is dropped beyond. Default 10 pages, and at least 6. */
  readonly maxRows?: number | undefined;
}

/** What is shown of a list at one moment. */
export type InfiniteListSnapshot<R> = LiveSnapshot<readonly R[]> & {
  /**
   * The number that `data[0]` has in the whole list. It is exact where the list was opened at its
   * start or jumped to by number, and stays as it is when rows come and go before those held, so
   * that what is on the screen stays where it is. See `shift` for when it is set right.
   */
  readonly firstIndex: number;
  /** Which of `data` is the first from the anchor on. */
  readonly anchorIndex: number;
  /** Whether there are rows behind the last one. */
  readonly hasNext: boolean;
  /** Whether there are rows before the first one. */
  readonly hasPrevious: boolean;
  /** Whether rows behind the last one are on their way. */
  readonly isFetchingNext: boolean;
  /** Whether rows before the first one are on their way. */
  readonly isFetchingPrevious: boolean;
  /** Whether the rows of another place are on their way; `data` is still of the one before. */
  readonly isJumping: boolean;
  /**
   * By how many rows what is in view was renumbered, in all: when rows turn out to be before the first
   * one, or not to be. Whoever places rows by their numbers scrolls by the difference.
   */
  readonly shift: number;
};

/** What a list needs of a live window. */
export type WindowSource<R> = Pick<LiveWindow<R>, 'getSnapshot' | 'subscribe' | 'move' | 'pin'>;

/** What a list needs of the client's status. */
export type ConnectionSource = ReadableSignal<Pick<ClientStatus, 'connection'>>;

/** Returns a window that always shows `snapshot`. */
export function constantWindow<R>(snapshot: WindowSnapshot<R>): WindowSource<R> {
  return { getSnapshot: () => snapshot, subscribe: () => nothing, move: nothing, pin: nothing };
}

const nothing = (): void => undefined;

/** Rows that were asked for and are not there yet. */
interface Fetch {
  readonly kind: 'next' | 'previous' | 'jump';
  readonly range: WindowRange;
  /** The anchor's cursor before. */
  readonly from: string | undefined;
  /** The number of the row at the anchor, where it is known. */
  readonly index?: number | undefined;
  readonly resolve?: ((index: number | undefined) => void) | undefined;
}

/**
 * Decides which part of a list to hold, and numbers its rows. It fetches one thing at a time; when
 * that is there, it looks at what is in view and fetches what is still missing. The window is opened
 * when the list is first asked for what it shows. Nothing in it is React's.
 */
export class InfiniteList<R extends { readonly id: EntityId }> {
  readonly #open: (range: WindowRange) => WindowSource<R>;
  readonly #status: ConnectionSource;
  #opened: WindowSource<R> | undefined;
  readonly #pageSize: number;
  readonly #maxRows: number;
  readonly #listeners = new Map<symbol, () => void>();
  #stop: (() => void) | undefined;
  #range: WindowRange;
  #fetch: Fetch | undefined;
  /** The numbers of the rows in view. */
  #view: { readonly first: number; readonly last: number } | undefined;
  /** Whether the view came from farther away than a page. */
  #leapt = false;
  /** Whether numbers are counted from the start of the list. */
  #counted = false;
  /** Where the row stands that keeps its number, and that number. */
  #pin = 0;
  #pinned = 0;
  #shift = 0;
  #odd = 0;
  /** What the window shows, and the last of it that the list shows. */
  #from: WindowSnapshot<R> | undefined;
  #kept: WindowSnapshot<R> | undefined;
  #shown: InfiniteListSnapshot<R> | undefined;
  #idle: InfiniteListSnapshot<R> | undefined;

  constructor(open: (range: WindowRange) => WindowSource<R>, status: ConnectionSource, { pageSize = 50, anchor = 'start', maxRows = 10 * pageSize }: InfiniteListOptions) {
    this.#pageSize = pageSize;
    this.#maxRows = Math.max(maxRows, 6 * pageSize);
    this.#range = this.#around(anchor);
    this.#fetch = { kind: 'jump', range: this.#range, from: undefined, index: numberOf(anchor) };
    this.#open = open;
    this.#status = status;
  }

  /** A selection that the client will not even open is a list like any other: one with an error. */
  get #live(): WindowSource<R> {
    return (this.#opened ??= unlessRefused(
      () => this.#open(this.#range),
      error => constantWindow({ data: [], status: 'error', error }),
    ));
  }

  readonly getSnapshot = (): InfiniteListSnapshot<R> => {
    const from = this.#live.getSnapshot();
    if (this.#shown !== undefined && from === this.#from) return this.#shown;
    this.#from = from;
    return this.#take(from);
  };

  /** What a server shows, and a page that takes over from one: nothing yet. */
  readonly getServerSnapshot = (): InfiniteListSnapshot<R> => (this.#idle ??= this.#draw(NO_ROWS.getServerSnapshot()));

  readonly subscribe = (listener: () => void): (() => void) => {
    const key = Symbol();
    this.#listeners.set(key, listener);
    this.#stop ??= this.#listen();
    return () => {
      this.#listeners.delete(key);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
      this.#fetch?.resolve?.(undefined);
    };
  };

  readonly fetchNext = (): void => this.#next(this.#pageSize);

  readonly fetchPrevious = (): void => this.#previous(this.#pageSize);

  readonly jumpTo = (place: ListPlace): Promise<number | undefined> => {
    const { data, firstIndex, hasNext } = this.getSnapshot();
    const number = place === 'end' && !hasNext ? firstIndex + data.length - 1 : numberOf(place);
    const held = number === undefined ? data.findIndex(row => row.id === place) : number - firstIndex;
    if (held in data) return Promise.resolve(firstIndex + held);
    return new Promise(resolve => this.#jump(place, resolve));
  };

  readonly show = (first: number, last: number): void => {
    if (this.#view?.first !== first) this.#leapt = Math.abs(first - (this.#view?.first ?? first)) > this.#pageSize;
    this.#view = { first, last };
    this.#pinView();
    this.#proceed();
  };

  #listen(): () => void {
    const changed = (): void => {
      this.#proceed();
      this.#notify();
    };
    const stop = this.#live.subscribe(changed);
    let connected = this.#isConnected;
    const stopStatus = this.#status.subscribe(() => {
      if (connected === this.#isConnected) return;
      connected = this.#isConnected;
      // What this device has may be the answer now.
      this.getSnapshot();
      const from = this.#from;
      if (this.#fetch !== undefined && from !== undefined) this.#settle(this.#fetch, from);
      this.#draw();
      changed();
    });
    return () => {
      stop();
      stopStatus();
    };
  }

  get #isConnected(): boolean {
    return this.#status.peek().connection === 'live';
  }

  /** Whether the server is still to say what is true; until then this device may know of some rows only. */
  #isExpected(status: LiveStatus): boolean {
    return status === 'local' && this.#isConnected;
  }

  /** The part to hold around a place. */
  #around(place: ListPlace): WindowRange {
    const page = this.#pageSize;
    const anchor: WindowAnchor =
      typeof place === 'number' ? { index: Math.max(0, place) } : place === 'start' || place === 'end' ? place : { entity: place };
    // Of other size than the one before, so that an answer to that one is not taken for one to this.
    this.#odd = 1 - this.#odd;
    return { anchor, before: place === 'start' ? 0 : page, after: place === 'end' ? 0 : 2 * page + this.#odd };
  }

  #jump(place: ListPlace, resolve?: (index: number | undefined) => void): void {
    this.#begin({ kind: 'jump', range: this.#around(place), from: this.#kept?.window?.position, index: numberOf(place), resolve });
  }

  #next(count: number): void {
    const { data, hasNext, anchorIndex } = this.getSnapshot();
    const window = this.#kept?.window;
    if (this.#fetch !== undefined || !hasNext || window === undefined) return;
    const range: WindowRange =
      data.length + count <= this.#maxRows || window.last === undefined
        ? { ...this.#range, after: data.length - anchorIndex + count }
        : { anchor: { cursor: window.last }, before: this.#maxRows - count - 1, after: count + 1 };
    if (this.#view === undefined) this.#keep(data.length - 1);
    this.#begin({ kind: 'next', range, from: window.position });
  }

  #previous(count: number): void {
    const { data, hasPrevious, anchorIndex } = this.getSnapshot();
    const window = this.#kept?.window;
    if (this.#fetch !== undefined || !hasPrevious || window === undefined) return;
    const range: WindowRange =
      data.length + count <= this.#maxRows || window.first === undefined
        ? { ...this.#range, before: anchorIndex + count }
        : { anchor: { cursor: window.first }, before: count, after: this.#maxRows - count };
    if (this.#view === undefined) this.#keep(0);
    this.#begin({ kind: 'previous', range, from: window.position });
  }

  #begin(fetch: Fetch): void {
    this.#fetch?.resolve?.(undefined);
    this.#fetch = fetch;
    this.#range = fetch.range;
    this.#live.move(fetch.range);
    this.#draw();
    this.#notify();
  }

  /** Fetches what the view lacks, if nothing is under way. */
  #proceed(): void {
    const { data, firstIndex, hasNext, hasPrevious, status } = this.getSnapshot();
    const view = this.#view;
    if (view === undefined || this.#fetch !== undefined || status === 'error') return;
    const end = firstIndex + data.length;
    const page = this.#pageSize;
    if ((hasNext && view.first > end + page) || (hasPrevious && view.last < firstIndex - page)) {
      this.#jump(view.first);
    } else if (view.first <= 0 && this.#leapt && this.#counted && hasPrevious) {
      this.#jump('start'); // rows have come before the first that had a number
    } else if (view.last + page / 2 >= end && hasNext) {
      this.#next(Math.max(page, view.last + page - end));
    } else if (view.first - page / 2 < firstIndex && hasPrevious) {
      this.#previous(Math.max(page, firstIndex - view.first + page));
    }
  }

  /** Lets the row at a place of `data` keep its number. */
  #keep(place: number): void {
    const { firstIndex } = this.getSnapshot();
    this.#pin = place;
    this.#pinned = firstIndex + place;
    this.#live.pin(place);
  }

  /** Lets the first row in view keep its number. */
  #pinView(): void {
    const { firstIndex, data } = this.getSnapshot();
    if (this.#view === undefined || this.#fetch?.kind === 'jump' || data.length === 0) return;
    this.#keep(Math.min(Math.max(this.#view.first - firstIndex, 0), data.length - 1));
  }

  /** Takes in what the window shows, and returns what the list shows. */
  #take(from: WindowSnapshot<R>): InfiniteListSnapshot<R> {
    const fetch = this.#fetch;
    if (fetch === undefined || fetch.kind !== 'jump' || from.window?.position === fetch.from) {
      this.#pin = from.pin ?? this.#pin;
      this.#kept = from;
    } else if (this.#kept?.window === undefined) {
      this.#number(fetch, from); // whatever there is, is better than nothing
    }
    if (fetch !== undefined) this.#settle(fetch, from);
    const shown = this.#draw();
    this.#pinView();
    return shown;
  }

  /** Ends what was under way, if this is it. */
  #settle(fetch: Fetch, from: WindowSnapshot<R>): void {
    const { data, status, window } = from;
    const { kind, resolve } = fetch;
    if (status === 'error') {
      // The place is not forgotten: the query may recover.
      if (kind !== 'jump') this.#fetch = undefined;
      else this.#number(fetch, from);
      return resolve?.(undefined);
    }
    if (window === undefined || !isThere(fetch, window, data.length, this.#isExpected(status))) return;
    this.#fetch = undefined;
    // What was looked up is a place in the order from here on.
    if (window.position !== undefined) this.#range = { ...fetch.range, anchor: { cursor: window.position } };
    if (kind !== 'jump') return;
    // Whoever asked for the place will go there, and say so.
    if (resolve !== undefined) this.#view = undefined;
    this.#number(fetch, from);
    const { firstIndex } = this.#draw();
    const place = Math.max(0, Math.min(window.anchor, data.length - 1));
    this.#keep(place);
    resolve?.(firstIndex + place);
  }

  /** Shows another place, with the number that its anchor has. */
  #number({ index }: Fetch, from: WindowSnapshot<R>): void {
    this.#kept = from;
    this.#pin = from.window?.anchor ?? this.#pin;
    this.#pinned = index ?? this.#pin;
    this.#counted = index !== undefined;
  }

  /** Makes the snapshot. */
  #draw(live: WindowSnapshot<R> = this.#kept ?? this.#live.getSnapshot()): InfiniteListSnapshot<R> {
    const { data, status, error, window } = live;
    const expected = this.#isExpected(status);
    const kind = this.#fetch?.kind;
    const hasPrevious = window !== undefined && (window.hasBefore || (expected && this.#range.anchor !== 'start'));
    const off = this.#pinned - this.#pin;
    // Before the first of all rows there are no numbers, and before any other there are some.
    if (kind !== 'jump' && (off < 0 || (off > 0 && window !== undefined && !hasPrevious))) {
      this.#pinned -= off;
      const view = this.#view;
      // Whoever looks at the first row of all sees the one that comes before it.
      if (view === undefined || view.first > 0 || this.#shown?.hasPrevious) {
        this.#shift -= off;
        if (view !== undefined) this.#view = { first: view.first - off, last: view.last - off };
      }
    }
    return (this.#shown = Object.freeze({
      data,
      status,
      error,
      firstIndex: this.#pinned - this.#pin,
      anchorIndex: window?.anchor ?? 0,
      hasNext: window !== undefined && (window.hasAfter || (expected && this.#range.anchor !== 'end')),
      hasPrevious,
      isFetchingNext: kind === 'next',
      isFetchingPrevious: kind === 'previous',
      isJumping: kind === 'jump' && (status === 'local' || status === 'live'),
      shift: this.#shift,
    } as InfiniteListSnapshot<R>));
  }

  #notify(): void {
    for (const listener of [...this.#listeners.values()]) listener();
  }
}

function numberOf(place: ListPlace): number | undefined {
  return place === 'start' ? 0 : typeof place === 'number' ? Math.max(0, place) : undefined;
}

/**
 * Whether a window is the one that was asked for: at its place, and with as many rows, or else with
 * all that there are, unless others are expected.
 */
function isThere({ range, from }: Fetch, window: WindowState, rows: number, expected: boolean): boolean {
  const { anchor, before, after } = range;
  const { position, hasBefore, hasAfter } = window;
  const behind = rows - window.anchor;
  const placed =
    typeof anchor === 'string' ? position === undefined : 'cursor' in anchor ? position === anchor.cursor : position !== from || behind === after;
  return placed && (window.anchor === before || (!hasBefore && !expected)) && (behind === after || (!hasAfter && !expected));
}
