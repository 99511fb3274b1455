import { AnkurahProvider, useLiveQuery } from '@ankurah-go/react';

import type { Query, TableProps } from '../adapter';
import { Row } from '../rows';
import { selectionOf, type Database } from './ankurah';

export function AlbumTable({ db, q }: TableProps) {
  const { client, model } = db as Database;
  return (
    <AnkurahProvider client={client}>
      <Albums model={model} q={q} />
    </AnkurahProvider>
  );
}

function Albums({ model, q }: { model: Database['model']; q: Query }) {
  const { text, params } = selectionOf(q);
  const { data } = useLiveQuery(model, text, params);
  return data.map(a => (
    <Row key={a.id} id={a.key} name={a.name} artist={a.artist} year={a.year} genre={a.genre} rating={a.rating} />
  ));
}
