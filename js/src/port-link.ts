import { ClientError, type ErrorCode } from './errors.ts';
import type { Host, HostEvents, HostOptions } from './host.ts';

/** What a page says to the worker beside frames. */
export type PageNote =
  /** Opens a session, which ends when the lock is free: when the page is gone. */
  | { readonly kind: 'open'; readonly wasmUrl: string | undefined; readonly lock: string | undefined }
  | { readonly kind: 'close' };

/** What the worker says to a page beside frames. */
export type WorkerNote =
  /** The worker is there, and holds the lock for as long as it is. */
  | { readonly kind: 'open'; readonly lock: string | undefined }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'closed' };

/** A MessagePort, or what stands for one. */
export interface Port {
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
  postMessage(message: unknown, transfer: Transferable[]): void;
  close(): void;
}

/** Returns a name that nobody else has. */
export function uniqueName(what: string): string {
  const random = crypto.getRandomValues(new Uint32Array(4));
  return `ankurah ${what} ${random.join('-')}`;
}

/**
 * Takes a lock and keeps it until this page or worker is gone, or the returned function is called.
 * Resolves with undefined where there are no locks: in an insecure context.
 */
export async function holdLock(name: string): Promise<(() => void) | undefined> {
  const { locks } = navigator;
  if (locks === undefined) return undefined;
  return new Promise((resolve, reject) => {
    locks.request(name, () => new Promise<void>(free => resolve(free))).catch(reject);
  });
}

/** Calls `gone` when whoever holds the lock is gone; the signal ends the wait. */
export function onLockFree(name: string, gone: () => void, signal: AbortSignal): void {
  navigator.locks?.request(name, { mode: 'shared', signal }, gone).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** How long a close waits for the worker's word before the page goes on without it, in ms. */
const closePatience = 2000;

/** A page's session with a worker, over a port. */
export class PortLink implements Host {
  readonly #port: Port;
  readonly #events: HostEvents;
  readonly #watch = new AbortController();
  #free: (() => void) | undefined;
  #closed: (() => void) | undefined;
  #ended = false;

  /** `lost` is called when the worker is gone without a word. */
  constructor(port: Port, options: HostOptions, events: HostEvents, lost: () => void) {
    this.#port = port;
    this.#events = events;
    port.onmessage = ({ data }) => this.#receive(data, lost);
    void this.#open(options.wasmUrl);
  }

  /** Aborted when this session has ended. */
  get over(): AbortSignal {
    return this.#watch.signal;
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    if (!this.#ended) this.#port.postMessage(frame, [frame.buffer]);
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    const closed = new Promise<void>(resolve => (this.#closed = resolve));
    this.#post({ kind: 'close' });
    const patience = setTimeout(() => this.#closed?.(), closePatience);
    await closed;
    clearTimeout(patience);
    this.drop();
  }

  /** Forgets the worker, which is gone. */
  drop(): void {
    this.#ended = true;
    this.#watch.abort();
    this.#free?.();
    this.#port.onmessage = null;
    this.#port.close();
  }

  async #open(wasmUrl: string | undefined): Promise<void> {
    const lock = uniqueName('tab');
    const free = await holdLock(lock);
    if (this.#ended) return free?.();
    this.#free = free;
    this.#post({ kind: 'open', wasmUrl, lock: free && lock });
  }

  #post(note: PageNote): void {
    this.#port.postMessage(note, []);
  }

  #receive(data: unknown, lost: () => void): void {
    if (this.#ended) return;
    if (data instanceof Uint8Array) {
      if (this.#closed === undefined) this.#events.message(data);
      return;
    }
    const note = data as WorkerNote;
    switch (note.kind) {
      case 'open':
        if (note.lock !== undefined) onLockFree(note.lock, lost, this.#watch.signal);
        if (this.#closed === undefined) this.#events.open();
        break;
      case 'failed':
        this.#closed?.();
        this.drop();
        this.#events.failed(new ClientError(note.code, note.message));
        break;
      case 'closed':
        this.#closed?.();
        break;
    }
  }
}
