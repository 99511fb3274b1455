import type { HistoryPage, Revision } from '@ankurah-go/client';
import { useClient } from '@ankurah-go/react';
import { useEffect, useRef, useState, type ReactElement } from 'react';

import { Album } from './model.ts';
import { useReport } from './notices.tsx';

interface AlbumHistoryProps {
  readonly album: Album;
  readonly onClose: () => void;
}

const PAGE = 20;

const when = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

/** What happened to an album, the latest first; any of it can be put back. */
export function AlbumHistory({ album, onClose }: AlbumHistoryProps): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const { page, failure, more } = useHistory(album);
  const putBack = usePutBack(album, onClose);
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="card history" aria-label={`History of ${album.name}`} data-testid="history" onClose={onClose}>
      <h2>{album.name}</h2>
      {failure && (
        <p className="list-error" role="alert">
          {failure}
        </p>
      )}
      {page === undefined && failure === undefined && <p>Asking the server…</p>}
      <ol>
        {page?.revisions.map((revision, index) => (
          <li key={revision.id} data-testid="revision">
            <p>
              <time dateTime={revision.time.toISOString()}>{when.format(revision.time)}</time>
              {revision.user !== undefined && <> by {revision.user}</>}
              {revision.pending && <em> waits to be sent</em>}
            </p>
            <p>{describe(revision)}</p>
            {index > 0 && revision.deleted !== true && (
              <button type="button" data-testid="put-back" onClick={() => putBack(revision)}>
                Put this back
              </button>
            )}
          </li>
        ))}
      </ol>
      <footer>
        {more && (
          <button type="button" onClick={more}>
            Show earlier
          </button>
        )}
        <button type="button" autoFocus onClick={() => dialog.current?.close()}>
          Close
        </button>
      </footer>
    </dialog>
  );
}

interface LoadedHistory {
  readonly page: HistoryPage<typeof Album> | undefined;
  readonly failure: string | undefined;
  /** Loads the next page; undefined when there is none. */
  readonly more: (() => void) | undefined;
}

/** Reads the history of an album, anew whenever the album changes. */
function useHistory(album: Album): LoadedHistory {
  const client = useClient();
  const [page, setPage] = useState<HistoryPage<typeof Album>>();
  const [failure, setFailure] = useState<string>();
  const [limit, setLimit] = useState(PAGE);
  useEffect(() => {
    const stop = new AbortController();
    client.history(Album, album.id, { limit, signal: stop.signal }).then(
      read => {
        setPage(read);
        setFailure(undefined);
      },
      (reason: unknown) => {
        if (!stop.signal.aborted) setFailure(reason instanceof Error ? reason.message : String(reason));
      },
    );
    return () => stop.abort();
  }, [client, album, limit]);
  return { page, failure, more: page?.next === undefined ? undefined : () => setLimit(shown => shown + PAGE) };
}

/** Returns what writes the album as it was after a revision. */
function usePutBack(album: Album, done: () => void): (revision: Revision<typeof Album>) => void {
  const client = useClient();
  const report = useReport();
  return revision => {
    const run = async (): Promise<void> => {
      const { name, artist, year } = await client.asOf(Album, album.id, revision.id);
      await client.transact(tx => tx.edit(Album, album.id).set({ name, artist, year }));
      done();
    };
    run().catch((error: unknown) => report('The album was not put back', error));
  };
}

function describe({ deleted, changes, parents }: Revision<typeof Album>): string {
  if (deleted !== undefined) return deleted ? 'Deleted' : 'Restored';
  const words = Object.entries(changes).map(([property, { before, after }]) =>
    before === null ? `${property} ${String(after)}` : `${property} ${String(before)} → ${String(after)}`,
  );
  return `${parents.length === 0 ? 'Added: ' : ''}${words.join(', ')}`;
}
