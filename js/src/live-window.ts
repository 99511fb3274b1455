import type { Live, LiveSnapshot } from './live.ts';
import type { Window, WindowAnchor, WindowState } from './wire.ts';

/** A part of a list: up to so many rows before an anchor, and so many from it on. */
export type WindowRange = Window;

export type { WindowAnchor, WindowState };

/** What a live window is at one moment; frozen, and a new object only when something changed. */
export type WindowSnapshot<R> = LiveSnapshot<readonly R[]> & {
  /** What part of the list the rows are; undefined until it is known. */
  readonly window?: WindowState | undefined;
  /** Where the row stands that {@link LiveWindow.pin} named, or, if it is gone, the one behind it. */
  readonly pin?: number;
};

/** A part of a long list that stays true: rows around an anchor, which stays where it is. */
export interface LiveWindow<R> extends Live<readonly R[]> {
  readonly getSnapshot: () => WindowSnapshot<R>;
  /**
   * Shows another part of the list. Rows that belong to the part before, too, are not read again;
   * the part before is shown until the new one is there. Bound to its window.
   */
  readonly move: (range: WindowRange) => void;
  /** Follows the row at a place of `data`, from the next change on, whatever comes and goes. Bound to its window. */
  readonly pin: (place: number) => void;
}
