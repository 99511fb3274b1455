import type { EntityId, SetInput } from '@ankurah-go/client';
import { useTransact } from '@ankurah-go/react';
import { useMemo } from 'react';

import { Album } from './model.ts';
import { useReport } from './notices.tsx';

/** What an album says, without its identity. */
export type AlbumFields = Omit<Album, 'id' | '$sync'>;

/** What the user can do to albums. A failure on this device is shown as a notice; nothing rejects. */
export interface AlbumActions {
  readonly add: (fields: AlbumFields) => void;
  readonly change: (id: EntityId, fields: SetInput<typeof Album>) => void;
  readonly remove: (id: EntityId) => void;
}

/** Returns what the user can do to albums, each as one transaction. */
export function useAlbumActions(): AlbumActions {
  const transact = useTransact();
  const report = useReport();
  return useMemo(() => {
    const run = (failed: string, ...[callback]: Parameters<typeof transact>): void => {
      transact(callback).catch((error: unknown) => report(failed, error));
    };
    return {
      add: fields => run('The album was not added', tx => void tx.create(Album, fields)),
      change: (id, fields) => run('The album was not changed', tx => tx.edit(Album, id).set(fields)),
      remove: id => run('The album was not deleted', tx => tx.delete(Album, id)),
    };
  }, [transact, report]);
}
