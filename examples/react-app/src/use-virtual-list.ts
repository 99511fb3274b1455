import type { EntityId } from '@ankurah-go/client';
import type { InfiniteLiveQuery } from '@ankurah-go/react';
import { useVirtualizer, type VirtualItem } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, type RefObject } from 'react';

/** A row's place in the scrolled area; the row is undefined while it is on its way. */
export interface PlacedRow<R> {
  readonly row: R | undefined;
  readonly key: string;
  /** Distance from the top of the area, in pixels. */
  readonly top: number;
}

export interface VirtualList<R> {
  readonly scrollRef: RefObject<HTMLDivElement | null>;
  /** The height of the scrolled area, in pixels. */
  readonly height: number;
  readonly rows: readonly PlacedRow<R>[];
}

/**
 * Places the rows of a long list, all of one height, under a scrollbar that spans the whole of it.
 *
 * @param total - How many rows there are, as far as a count says.
 * @param question - Names what the list is of: it starts at the top for every other one.
 */
export function useVirtualList<R extends { readonly id: EntityId }>(
  list: InfiniteLiveQuery<R>,
  { total = 0, rowHeight, question }: { readonly total: number | undefined; readonly rowHeight: number; readonly question: string },
): VirtualList<R> {
  const { data, firstIndex, hasNext, isPrevious, shift, show } = list;
  const scrollRef = useRef<HTMLDivElement>(null);
  const end = firstIndex + data.length;
  const rowAt = (index: number): R | undefined => data[index - firstIndex];
  // oxlint-disable-next-line react/incompatible-library
  const virtualizer = useVirtualizer({
    count: hasNext ? Math.max(total, end) : end,
    getScrollElement: () => scrollRef.current,
    estimateSize: () => rowHeight,
    getItemKey: index => rowAt(index)?.id ?? index,
    overscan: 6,
  });

  useLayoutEffect(() => {
    if (scrollRef.current !== null) scrollRef.current.scrollTop = 0;
  }, [question]);

  // Rows that get other numbers stay where they are on the screen.
  const shifted = useRef({ show, shift });
  useLayoutEffect(() => {
    const before = shifted.current;
    shifted.current = { show, shift };
    const scroller = scrollRef.current;
    if (scroller !== null && before.show === show && !isPrevious) scroller.scrollTop += (shift - before.shift) * rowHeight;
  }, [show, shift, isPrevious, rowHeight]);

  const first = virtualizer.range?.startIndex ?? 0;
  const last = virtualizer.range?.endIndex ?? 0;
  useEffect(() => show(first, last), [show, first, last]);

  const placed = ({ index, key, start }: VirtualItem): PlacedRow<R> => ({ row: rowAt(index), key: String(key), top: start });
  return { scrollRef, height: virtualizer.getTotalSize(), rows: virtualizer.getVirtualItems().map(placed) };
}
