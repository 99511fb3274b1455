import { queryKey } from '@ankurah-go/client';
import { useCount, useInfiniteLiveQuery } from '@ankurah-go/react';
import { useDeferredValue, useState, type ReactElement } from 'react';

import { albumQuery, NO_FILTER, type AlbumFilter, type AlbumSort } from './album-query.ts';
import { AlbumRow, ROW_HEIGHT } from './album-row.tsx';
import { Toolbar } from './toolbar.tsx';
import { useAlbumActions } from './use-albums.ts';
import { useVirtualList } from './use-virtual-list.ts';

const number = new Intl.NumberFormat('en');

/** The list of albums, with its filter and its order: all of them under one scrollbar, of which it holds a few. */
export function AlbumList(): ReactElement {
  const [filter, setFilter] = useState<AlbumFilter>(NO_FILTER);
  const [sort, setSort] = useState<AlbumSort>({ key: 'name', direction: 'asc' });

  const query = albumQuery(useDeferredValue(filter), sort);
  const list = useInfiniteLiveQuery(query, { pageSize: 60 });
  const { count } = useCount(query);
  const { scrollRef, height, rows } = useVirtualList(list, { total: count, rowHeight: ROW_HEIGHT, question: queryKey(query) });
  const { change, remove } = useAlbumActions();
  const { status, error, data, isPrevious } = list;

  return (
    <section className="card list" aria-label="Albums" aria-busy={status === 'loading'}>
      <Toolbar filter={filter} onFilter={setFilter} sort={sort} onSort={setSort} />
      {error && (
        <p className="list-error" role="alert">
          {error.message}
        </p>
      )}
      <div className="albums-scroll" ref={scrollRef} data-testid="albums" tabIndex={-1}>
        {data.length === 0 && status !== 'error' && <Nothing loading={status === 'loading'} filtered={filter !== NO_FILTER} />}
        <ul className={isPrevious ? 'albums is-stale' : 'albums'} style={{ height }}>
          {rows.map(({ row, key, top }) => (
            <AlbumRow key={key} album={row} top={top} onChange={change} onRemove={remove} />
          ))}
        </ul>
      </div>
      <footer className="list-foot">
        <span data-testid="count">{count === undefined ? '…' : number.format(count)}</span> {count === 1 ? 'album' : 'albums'}
      </footer>
    </section>
  );
}

function Nothing({ loading, filtered }: { readonly loading: boolean; readonly filtered: boolean }): ReactElement {
  if (loading) return <p className="list-empty">Opening the collection…</p>;
  return (
    <p className="list-empty">
      <strong>{filtered ? 'No album matches' : 'No albums yet'}</strong>
      {filtered ? 'Look for something else to see others.' : 'Add the first one with the form.'}
    </p>
  );
}
