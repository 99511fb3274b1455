/**
 * React hooks for Ankurah. They read what `@ankurah-go/client` keeps in step and hold no data of
 * their own.
 *
 * @module
 */
export { AnkurahProvider, useClient, type AnkurahProviderProps } from './provider.ts';
export { useAggregate } from './use-aggregate.ts';
export { useCount, type CountSnapshot } from './use-count.ts';
export { useEntity } from './use-entity.ts';
export type { InfiniteListOptions, InfiniteListSnapshot, ListPlace } from './infinite-list.ts';
export { useInfiniteLiveQuery, type InfiniteLiveQuery, type InfiniteLiveQueryOptions } from './use-infinite-live-query.ts';
export { useLiveQuery, type LiveQueryArguments, type Nothing, type UseLiveQueryOptions } from './use-live-query.ts';
export { useRejections } from './use-rejections.ts';
export { useSignal, type ReadableSignal } from './use-signal.ts';
export { useStatus } from './use-status.ts';
export { useTransact } from './use-transact.ts';
