import type { LiveStatus, Params } from '../../src/mod.ts';
import type { FakeNode } from '../fake-node.ts';

/** A row of the suite's model, as results show it. */
export interface AlbumRow {
  readonly id: string;
  readonly name: string;
  readonly year: number | null;
}

/** A live result as somebody uses it: an application, or a component that shows it. */
export interface Observed {
  /** What it shows. */
  readonly data: readonly AlbumRow[];
  readonly status: LiveStatus;
  /** The message of its error, if its status is `error`. */
  readonly error: string | undefined;
  /** How often it was told of a change (a component: how often it rendered after the first time). */
  readonly changes: number;
  /** Asks for something else in its place. */
  select(selection: string, params?: Params): Promise<void>;
  /** Ends the use. */
  close(): Promise<void>;
}

/** What the suite is run against. */
export interface LiveDriver {
  /** The node that the results are about. */
  readonly node: FakeNode;
  /** Begins to use a live result; the selection is sent when it resolves. */
  observe(selection: string, params?: Params): Promise<Observed>;
  /** Lets what was said reach whoever observes. */
  settle(): Promise<void>;
  /** Ends everything. */
  end(): Promise<void>;
}
