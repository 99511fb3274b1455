/**
 * What went wrong, as one of a closed list that is the same in Go (`core.Kind`), on the wire and
 * here. The list only ever grows.
 */
export type ErrorCode =
  | 'invalid'
  | 'denied'
  | 'not-found'
  | 'not-ready'
  | 'offline'
  | 'deadline'
  | 'closed'
  | 'conflict'
  | 'schema'
  | 'selection'
  | 'too-large'
  | 'limit'
  | 'clock-drift'
  | 'missing-parents'
  | 'depends-on-refused'
  | 'version'
  | 'system-mismatch'
  | 'storage'
  | 'quota'
  | 'internal'
  | 'behind'
  | 'expired';

/** Where in the text of a selection an error is, and what would mend it. */
export interface SelectionPosition {
  /** Offset of the error in the text, in UTF-16 units as `String.prototype.slice` counts them. */
  readonly position: number;
  /** Line of the error, from 1. */
  readonly line: number;
  /** Column of the error, from 1, in UTF-16 units. */
  readonly column: number;
  /** What would mend it, as `did you mean "year"?`; empty when there is no suggestion. */
  readonly hint: string;
}

/**
 * The one class of error that this package rejects with and shows in results. `code` says what
 * kind it is; branch on it, show `message`.
 *
 * ```ts
 * import { ClientError } from '@ankurah-go/client'
 *
 * function describe(error: unknown): string {
 *   if (error instanceof ClientError && error.code === 'selection') {
 *     return `${error.message} at column ${error.selection?.column ?? 1}`
 *   }
 *   return String(error)
 * }
 * ```
 */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  /** The kind of error. */
  readonly code: ErrorCode;
  /** For code `selection`, where in its text; absent where no place is to blame. */
  readonly selection: SelectionPosition | undefined;

  constructor(code: ErrorCode, message: string, options?: ClientErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.selection = options?.selection;
  }
}

/** What a {@link ClientError} may carry beside its code and message. */
export interface ClientErrorOptions {
  /** Where in the text of a selection. */
  readonly selection?: SelectionPosition | undefined;
  /** The error underneath, which JavaScript shows after this one. */
  readonly cause?: unknown;
}
