/** How a selection is read from this device's storage. */
export interface Explanation {
  /** The plan in words. */
  readonly plan: string;
  /**
   * How its rows are found: `nothing` can match, by the ids that the condition names (`lookup`), by a
   * `scan` of the collection, or by an `index`; `engine` if the storage does not say.
   */
  readonly method: 'nothing' | 'lookup' | 'scan' | 'index' | 'engine';
  /** The columns of the index, with " and " between several; undefined for none. */
  readonly index: string | undefined;
  /** How many ranges of the index or of ids are read, or ids looked up. */
  readonly ranges: number;
  /** The rows did not come in the selection's order. */
  readonly sorted: boolean;
  /** What was left to evaluate of each row, as text; undefined for nothing. */
  readonly residual: string | undefined;
  /** Entries of the index that were read. */
  readonly entries: number;
  /** Rows that were read. */
  readonly rows: number;
  /** Rows that are in the answer. */
  readonly returned: number;
  /** There may be more rows than those returned. */
  readonly more: boolean;
  /** How long it took. */
  readonly milliseconds: number;
}
