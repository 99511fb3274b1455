import { useLiveQuery } from '@ankurah-go/react';
import { useState, type ReactElement } from 'react';

import { AlbumRow } from './album-row.tsx';
import { Album } from './model.ts';
import { albumSelection, filterProblem, type SortKey } from './selection.ts';
import { Toolbar } from './toolbar.tsx';
import { useAlbumActions } from './use-albums.ts';
import { useDebounced } from './use-debounced.ts';

const PAGE = 50;
const TYPING_PAUSE_MS = 150;

/** The list of albums, with its filter, its order and its pages. */
export function AlbumList(): ReactElement {
  const [typed, setTyped] = useState('');
  const [sort, setSort] = useState<SortKey>('name');
  const filter = useDebounced(typed, TYPING_PAUSE_MS).trimEnd();
  const [page, setPage] = useState({ filter, limit: PAGE });
  const limit = page.filter === filter ? page.limit : PAGE; // another filter starts from its first page

  // One row more than is shown tells whether there is a next page.
  const { data, status, error } = useLiveQuery(Album, albumSelection(filter, sort, limit + 1));
  const rows = data.slice(0, limit);
  const problem = error && filterProblem(error, filter);
  const actions = useAlbumActions();

  return (
    <section className="card list" aria-label="Albums" aria-busy={status === 'loading'}>
      <Toolbar filter={typed} onFilter={setTyped} problem={problem} sort={sort} onSort={setSort} />
      {error && !problem && (
        <p className="list-error" role="alert">
          {error.message}
        </p>
      )}
      {rows.length === 0 && status !== 'error' && <Nothing loading={status === 'loading'} filtered={filter !== ''} />}
      <ul className={status === 'loading' ? 'albums is-stale' : 'albums'}>
        {rows.map(album => (
          <AlbumRow key={album.id} album={album} onChange={actions.change} onRemove={actions.remove} />
        ))}
      </ul>
      <footer className="list-foot">
        <p>
          <span data-testid="count">{rows.length}</span> {rows.length === 1 ? 'album' : 'albums'} shown
        </p>
        {data.length > limit && (
          <button type="button" data-testid="more" onClick={() => setPage({ filter, limit: limit + PAGE })}>
            Show more
          </button>
        )}
      </footer>
    </section>
  );
}

function Nothing({ loading, filtered }: { readonly loading: boolean; readonly filtered: boolean }): ReactElement {
  if (loading) return <p className="list-empty">Opening the collection…</p>;
  return (
    <p className="list-empty">
      <strong>{filtered ? 'No album matches' : 'No albums yet'}</strong>
      {filtered ? 'Change the filter to see others.' : 'Add the first one with the form.'}
    </p>
  );
}
