import type { ClientError } from '@ankurah-go/client';

/** What the list can be sorted by; the rest of each order makes it readable among equals. */
export const ORDERS = {
  name: 'name, artist',
  artist: 'artist, year, name',
  year: 'year, name',
} as const;

export type SortKey = keyof typeof ORDERS;

/** Returns the AnkQL of the list: the user's predicate, the order, and the window. */
export function albumSelection(filter: string, sort: SortKey, limit: number): string {
  return `${filter} ORDER BY ${ORDERS[sort]} LIMIT ${limit}`;
}

/** A filter that cannot be used: what is wrong with it, and where. */
export interface FilterProblem {
  readonly message: string;
  /** What would mend it; empty if nobody knows. */
  readonly hint: string;
  /** The filter up to the place to blame, and from there on; the latter is empty at its end. */
  readonly before: string;
  readonly after: string;
}

const INCOMPLETE = 'The filter is incomplete: something is missing at its end. (It takes no ORDER BY or LIMIT of its own.)';

/**
 * Returns what to show for an error of the list, or undefined if it is not about the filter.
 *
 * The filter stands first in the selection, so a place in one is that place in the other. What lies behind it is
 * ours: an error there means that the filter was not at its end yet, and the words of the parser about our text
 * would only confuse.
 */
export function filterProblem(error: ClientError, filter: string): FilterProblem | undefined {
  if (error.code !== 'selection') return undefined;
  const position = error.selection?.position;
  if (position === undefined) return { message: error.message, hint: '', before: filter, after: '' };
  if (position >= filter.length) return { message: INCOMPLETE, hint: '', before: filter, after: '' };
  return {
    message: error.message,
    hint: error.selection?.hint ?? '',
    before: filter.slice(0, position),
    after: filter.slice(position),
  };
}
