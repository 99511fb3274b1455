import type { ClientError } from './errors.ts';

/**
 * Where the node runs: in a worker, in another tab's worker, or in this page. Nothing else in this
 * package can tell which. Frames arrive whole and in order, in both directions.
 */
export interface Host {
  /** Sends a frame, whose buffer now belongs to the host. Nothing is sent before `open`, or after `lost`. */
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** Ends this page's use of the node, and resolves when that is done; no event follows. */
  close(): Promise<void>;
}

/** What a host tells. */
export interface HostEvents {
  /** There is a node to talk to: at first, and again when another one took its place. */
  open(): void;
  /** The node is gone, and another will take its place: `open` follows. */
  lost(): void;
  /** A frame from the node. */
  message(frame: Uint8Array): void;
  /** The node is gone for good. Nothing follows. */
  failed(error: ClientError): void;
}

/** What a host needs to know of the client. */
export interface HostOptions {
  readonly name: string;
  readonly wasmUrl: string | undefined;
}

/** Starts a host. Its events come later, never during the call. */
export type StartHost = (options: HostOptions, events: HostEvents) => Host;
