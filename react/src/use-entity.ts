'use client';

import type { AnyModel, EntityId, Infer, LiveSnapshot } from '@ankurah-go/client';
import { useMemo } from 'react';

import { useClient } from './provider.ts';
import { NO_VALUE, useLive, type DeferredLive } from './use-live.ts';

/**
 * Shows one entity, and renders again when it changes.
 *
 * ```tsx
 * const { data: album, status } = useEntity(Album, id)
 * if (album === undefined) return status === 'live' ? <p>No such album</p> : <p>Loading…</p>
 * ```
 *
 * `data` is undefined while the entity is not known, and when there is none (status `live`) or no
 * longer (it was deleted). It never shows another entity than the one asked for: when `id` changes,
 * `data` starts undefined. An `id` of null, undefined or false asks nothing, with status `loading`.
 */
export function useEntity<M extends AnyModel>(
  model: M,
  id: EntityId | null | undefined | false,
): LiveSnapshot<Infer<M> | undefined> {
  const client = useClient();
  const live = useMemo<DeferredLive<Infer<M> | undefined>>(() => {
    if (id === null || id === undefined || id === false) return NO_VALUE;
    return NO_VALUE.until(() => client.entity(model, id, { lazy: true }));
  }, [client, model, id]);
  return useLive(live);
}
