import { ClientError } from './errors.ts';
import type { Host, HostEvents, HostOptions, StartHost } from './host.ts';
import { PortLink, uniqueName, type Port, type WorkerNote } from './port-link.ts';

// Where there is no SharedWorker, one tab leads: it holds a lock, and the worker that runs the
// node. The others reach that worker through it. When it goes, the lock passes to another tab,
// which starts a worker of its own, and all sessions begin anew there.

/** What tabs tell all others. */
type TabNote =
  /** I lead. */
  | { readonly kind: 'lead'; readonly leader: string }
  /** Who leads? */
  | { readonly kind: 'ask' }
  /** I want a session with the node of this leader. */
  | { readonly kind: 'join'; readonly leader: string; readonly tab: string };

/** Runs the node in a worker of the tab that leads. */
export const startTabHost: StartHost = (options, events) => new TabHost(options, events);

class TabHost implements Host {
  readonly #options: HostOptions;
  readonly #events: HostEvents;
  readonly #id = uniqueName('member');
  readonly #all: BroadcastChannel;
  readonly #leaving = new AbortController();
  #leader: string | undefined;
  #link: PortLink | undefined;
  #worker: Worker | undefined;
  #relays = new Set<BroadcastChannel>();
  #resign: (() => void) | undefined;

  constructor(options: HostOptions, events: HostEvents) {
    this.#options = options;
    this.#events = events;
    this.#all = new BroadcastChannel(`ankurah ${options.name}`);
    this.#all.onmessage = ({ data }: MessageEvent<TabNote>) => this.#hear(data);
    this.#tell({ kind: 'ask' });
    void this.#candidate();
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    this.#link?.send(frame);
  }

  async close(): Promise<void> {
    this.#leaving.abort();
    await this.#link?.close();
    this.#all.close();
    for (const relay of this.#relays) relay.close();
    this.#worker?.terminate();
    this.#resign?.();
  }

  /** Waits to lead, and leads until this tab goes. */
  async #candidate(): Promise<void> {
    const { locks } = navigator;
    if (locks === undefined) {
      this.#all.onmessage = null; // an insecure context: every tab for itself
      return this.#lead();
    }
    const { signal } = this.#leaving;
    try {
      await locks.request(`ankurah leader ${this.#options.name}`, { signal }, () => {
        this.#lead();
        return new Promise<void>(resolve => (this.#resign = resolve));
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #lead(): void {
    if (this.#leaving.signal.aborted) return;
    this.#leader = this.#id;
    const { name } = this.#options;
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name });
    this.#worker.onerror = event => {
      const why = event.message ? `: ${event.message}` : '';
      this.#events.failed(new ClientError('internal', `the worker that runs the node could not be started${why}`));
    };
    const { port1, port2 } = new MessageChannel();
    this.#worker.postMessage(undefined, [port2]);
    this.#use(port1);
    this.#tell({ kind: 'lead', leader: this.#id });
  }

  #hear(note: TabNote): void {
    switch (note.kind) {
      case 'lead':
        if (note.leader !== this.#leader) this.#follow(note.leader);
        break;
      case 'ask':
        if (this.#leader === this.#id) this.#tell({ kind: 'lead', leader: this.#id });
        break;
      case 'join':
        if (note.leader === this.#id) this.#relay(note.tab);
        break;
    }
  }

  #follow(leader: string): void {
    this.#leader = leader;
    const session = uniqueName('session');
    const channel = new BroadcastChannel(session);
    this.#use(channelPort(channel));
    this.#tell({ kind: 'join', leader, tab: session });
  }

  /** Carries a follower's session to the worker, until the worker says that it ended. */
  #relay(session: string): void {
    const channel = new BroadcastChannel(session);
    const { port1, port2 } = new MessageChannel();
    channel.onmessage = ({ data }: MessageEvent<unknown>) => port1.postMessage(data);
    port1.onmessage = ({ data }: MessageEvent<unknown>) => {
      channel.postMessage(data);
      if (data instanceof Uint8Array || (data as WorkerNote).kind === 'open') return;
      this.#relays.delete(channel);
      channel.close();
    };
    this.#relays.add(channel);
    this.#worker?.postMessage(undefined, [port2]);
    channel.postMessage(joined);
  }

  /** Begins a session over a port, in the place of the one before: what is sent from now on waits for it. */
  #use(port: Port): void {
    if (this.#link !== undefined) {
      this.#link.drop();
      this.#events.lost();
    }
    // A worker that is gone went with its tab, whose lock will pass to another.
    this.#link = new PortLink(port, this.#options, this.#events, () => this.#events.lost());
  }

  #tell(note: TabNote): void {
    this.#all.postMessage(note);
  }
}

/** The leader's first word on a session's channel: from now on it listens there. */
const joined = 'joined';

/** A broadcast channel between two, as a port: it copies, so there is nothing to transfer. */
function channelPort(channel: BroadcastChannel): Port {
  let early: unknown[] | undefined = [];
  const port: Port = {
    onmessage: null,
    postMessage: message => {
      if (early !== undefined) early.push(message);
      else channel.postMessage(message);
    },
    close: () => channel.close(),
  };
  channel.onmessage = event => {
    if (event.data !== joined) return port.onmessage?.(event);
    for (const message of early ?? []) channel.postMessage(message);
    early = undefined;
  };
  return port;
}
