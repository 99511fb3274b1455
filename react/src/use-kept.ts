'use client';

import type { Client, LiveSnapshot } from '@ankurah-go/client';
import { useEffect, useMemo, useRef } from 'react';

/** What a component showed last as the answer to a query. */
interface Answer<S> {
  readonly live: object;
  readonly client: Client;
  readonly model: unknown;
  readonly snapshot: S;
}

/**
 * Returns `snapshot`, or, while it is no answer yet, what `carry` makes of the last answer and it.
 * Only what was committed to the screen counts as answered, therefore the effect; and it is a ref,
 * because state would render every change of the data twice. A render that reads an answer which
 * is newer than itself shows newer rows for a moment, and that is all.
 *
 * @param live - What the snapshot is of: one object for each query.
 * @param model - What it is about. Answers of another client, or about something else, are never shown.
 * @param keep - Whether to look back at all.
 */
// oxlint-disable react/refs
export function useKept<S extends LiveSnapshot<unknown>>(
  live: object,
  snapshot: S,
  client: Client,
  model: unknown,
  keep: boolean,
  carry: (before: S, now: S) => S,
): S {
  const answer = useRef<Answer<S> | undefined>(undefined);
  const last = answer.current;
  const answered = snapshot.status === 'local' || snapshot.status === 'live';
  const stillMeant = keep && last !== undefined && last.client === client && last.model === model;
  const before = !answered && stillMeant && last.live !== live ? last.snapshot : undefined;

  useEffect(() => {
    if (answered) answer.current = { live, client, model, snapshot };
    else if (!stillMeant) answer.current = undefined;
  });
  return useMemo(() => (before === undefined ? snapshot : Object.freeze(carry(before, snapshot))), [snapshot, before, carry]);
}
// oxlint-enable react/refs
