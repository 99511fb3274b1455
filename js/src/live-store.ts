import type { ClientError } from './errors.ts';
import { LiveQuery, type Asked } from './live-query.ts';
import type { AnyModel } from './model.ts';
import type { Row } from './row.ts';
import { queryKey } from './selection-key.ts';
import type { Session } from './session.ts';
import { writeAggregate, writeMove, writeSubscribe, writeUnsubscribe, type Window } from './wire.ts';

/** How long a query stays open that nobody holds any more: a component that remounts finds it. */
export const releaseDelay = 10;

/** The live queries of a client: equal ones are one, and those that nobody holds are closed. */
export class LiveStore {
  /** Set by the client, which makes both. */
  session: Session | undefined;
  readonly #byKey = new Map<string, LiveQuery>();
  readonly #byWireId = new Map<number, LiveQuery>();
  readonly #changed = new Set<LiveQuery>();
  readonly #models = new Map<AnyModel, number>();
  #lastWireId = 0;
  #lastWindow = 0;
  #ended: ClientError | undefined;

  /**
   * Returns the query for what is asked, held once; it is opened unless an equal one is open. One with
   * a window is nobody else's.
   */
  hold(asked: Asked, seed: readonly Row[] = []): LiveQuery {
    const key = asked.window === undefined ? this.keyOf(asked) : `#${++this.#lastWindow}`;
    let query = this.#byKey.get(key);
    if (query === undefined) {
      query = new LiveQuery(key, asked, seed);
      this.#byKey.set(key, query);
      this.#open(query);
    }
    this.retain(query);
    return query;
  }

  /** Moves the part of its rows that a query shows. */
  move(query: LiveQuery, window: Window): void {
    query.window = window;
    if (this.#byWireId.has(query.wireId)) this.session?.send(w => writeMove(w, query.wireId, window));
  }

  /** Names a query; models that only share their collection do not share queries. */
  keyOf({ model, text, params, aggregation }: Asked): string {
    let number = this.#models.get(model);
    if (number === undefined) this.#models.set(model, (number = this.#models.size));
    return `${number} ${queryKey(model, text, params)}${aggregation === undefined ? '' : `\n${aggregation.key}`}`;
  }

  /** Keeps a query open. */
  retain(query: LiveQuery): void {
    query.holders++;
    clearTimeout(query.release);
    query.release = undefined;
  }

  /** Takes back one hold or retain; the last one closes the query after a delay. */
  release(query: LiveQuery, delay: number = releaseDelay): void {
    query.holders--;
    if (query.holders > 0 || !this.isOpen(query)) return;
    clearTimeout(query.release);
    query.release = setTimeout(() => this.#close(query), delay);
    unref(query.release);
  }

  /** Whether a query is still kept true. */
  isOpen(query: LiveQuery): boolean {
    return this.#byKey.get(query.key) === query;
  }

  /** Returns the query that deltas of this number are for. */
  byWireId(wireId: number): LiveQuery | undefined {
    return this.#byWireId.get(wireId);
  }

  /** The node is gone: until there is another, every query rests as it is. */
  suspend(): void {
    this.#byWireId.clear();
    for (const query of this.#byKey.values()) query.suspend();
    this.flush();
  }

  /** Opens all queries anew, on a node that knows none of them. */
  resubscribe(): void {
    for (const query of this.#byKey.values()) this.#subscribe(query);
  }

  /** Tells the listeners of what changed since the last time; rendering comes once. */
  flush(): void {
    if (this.#changed.size === 0) return;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const query of changed) query.notify();
  }

  /** Ends every query, those open and those to come, with an error; their rows stay. */
  fail(error: ClientError): void {
    this.stop(error);
    for (const query of this.#byKey.values()) query.fail(error);
    this.flush();
  }

  /** Lets every query rest as it is; those to come fail with `error`. */
  stop(error: ClientError): void {
    this.#ended = error;
    this.#byWireId.clear();
    for (const query of this.#byKey.values()) clearTimeout(query.release);
  }

  #open(query: LiveQuery): void {
    query.onChange = () => this.#changed.add(query);
    if (this.#ended !== undefined) {
      query.fail(this.#ended);
      this.#changed.delete(query);
    } else if (this.session?.open) {
      this.#subscribe(query);
    }
  }

  #subscribe(query: LiveQuery): void {
    query.wireId = ++this.#lastWireId;
    query.reader = undefined;
    this.#byWireId.set(query.wireId, query);
    const { wireId, model, text, params, window, aggregation } = query;
    this.session?.send(w => {
      if (aggregation === undefined) writeSubscribe(w, wireId, model.collection, text, params, window);
      else writeAggregate(w, wireId, model.collection, text, params, aggregation);
    });
  }

  #close(query: LiveQuery): void {
    this.#byKey.delete(query.key);
    if (this.#byWireId.delete(query.wireId)) this.session?.send(w => writeUnsubscribe(w, query.wireId));
  }
}

/** Lets Node.js end although a query waits to be closed; a browser's timer is but a number. */
function unref(timer: number | { unref?(): void }): void {
  if (typeof timer === 'object') timer.unref?.();
}
