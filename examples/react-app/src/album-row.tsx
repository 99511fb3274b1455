import type { EntityId } from '@ankurah-go/client';
import {
  memo,
  useEffect,
  useRef,
  useState,
  type CSSProperties,
  type FormEvent,
  type KeyboardEvent,
  type ReactElement,
} from 'react';

import { changedFields, readAlbum, YEAR_INPUT } from './album-fields.ts';
import { AlbumHistory } from './album-history.tsx';
import { CancelIcon, DeleteIcon, EditIcon, HistoryIcon, SaveIcon } from './icons.tsx';
import type { Album } from './model.ts';
import type { AlbumActions } from './use-albums.ts';
import { Editors, useVisitors } from './visitors.tsx';

const SYNC_EXPLANATIONS = {
  pending: 'Kept on this device; the server does not have it yet.',
  refused: 'The server refused a change to this album; see the notice above.',
} as const;

/** The height of every row, in pixels. */
export const ROW_HEIGHT = 68;

interface AlbumRowProps {
  /** Undefined while the album is on its way. */
  readonly album: Album | undefined;
  /** Distance from the top of the list, in pixels. */
  readonly top: number;
  readonly onChange: AlbumActions['change'];
  readonly onRemove: AlbumActions['remove'];
}

/** One album at its place in the list. Rendered again only when the album or its place changed. */
export const AlbumRow = memo(function AlbumRow({ album, top, onChange, onRemove }: AlbumRowProps): ReactElement {
  const style = { height: ROW_HEIGHT, transform: `translateY(${top}px)` };
  if (album === undefined) return <li className="album is-coming" style={style} aria-hidden="true" />;
  return <AlbumAt album={album} style={style} onChange={onChange} onRemove={onRemove} />;
});

interface AlbumAtProps extends Omit<AlbumRowProps, 'album' | 'top'> {
  readonly album: Album;
  readonly style: CSSProperties;
}

/** An album to read or to edit in place. */
function AlbumAt({ album, style, onChange, onRemove }: AlbumAtProps): ReactElement {
  // What the album was when editing began: changes from elsewhere do not disturb what is being typed.
  const [original, setOriginal] = useState<Album | undefined>(undefined);
  const [showingHistory, setShowingHistory] = useState(false);
  const editButton = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(false);
  const editing = original !== undefined;

  useEffect(() => {
    if (wasEditing.current && !editing) editButton.current?.focus();
    wasEditing.current = editing;
  }, [editing]);

  const save = (before: Album, form: HTMLFormElement): void => {
    const changes = changedFields(before, readAlbum(form));
    if (Object.keys(changes).length > 0) onChange(album.id, changes);
    setOriginal(undefined);
  };

  return (
    <li className={editing ? 'album is-editing' : 'album'} style={style} data-testid="album-row" data-id={album.id}>
      {original ? (
        <AlbumEditor
          album={original}
          onSave={form => save(original, form)}
          onCancel={() => setOriginal(undefined)}
          onRemove={onRemove}
        />
      ) : (
        <>
          <Sleeve album={album} />
          <div className="album-text">
            <span className="album-title">
              <span className="album-name" data-testid="row-name">
                {album.name}
              </span>
              <Editors album={album.id} />
              {album.$sync !== 'synced' && (
                <span className={`badge is-${album.$sync}`} data-testid="row-sync" title={SYNC_EXPLANATIONS[album.$sync]}>
                  {album.$sync}
                </span>
              )}
            </span>
            <span className="album-byline">
              <span data-testid="row-artist">{album.artist}</span>
              <span aria-hidden="true">·</span>
              <span data-testid="row-year">{album.year}</span>
            </span>
          </div>
          <div className="album-actions">
            <button
              ref={editButton}
              type="button"
              className="icon-button"
              data-testid="row-edit"
              aria-label={`Edit ${album.name}`}
              onClick={() => setOriginal(album)}
            >
              <EditIcon />
            </button>
            <button
              type="button"
              className="icon-button"
              data-testid="row-history"
              aria-label={`History of ${album.name}`}
              onClick={() => setShowingHistory(true)}
            >
              <HistoryIcon />
            </button>
            <DeleteButton album={album} onRemove={onRemove} />
          </div>
          {showingHistory && <AlbumHistory album={album} onClose={() => setShowingHistory(false)} />}
        </>
      )}
    </li>
  );
}

interface AlbumEditorProps {
  readonly album: Album;
  readonly onSave: (form: HTMLFormElement) => void;
  readonly onCancel: () => void;
  readonly onRemove: (id: EntityId) => void;
}

/** The inputs of a row: Enter saves, Escape leaves it as it was. */
function AlbumEditor({ album, onSave, onCancel, onRemove }: AlbumEditorProps): ReactElement {
  const { set } = useVisitors();
  useEffect(() => {
    set({ editing: album.id });
    return () => set({ editing: null });
  }, [set, album.id]);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    onSave(event.currentTarget);
  };
  const cancelOnEscape = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') onCancel();
  };
  return (
    <form className="album-edit" aria-label={`Edit ${album.name}`} onSubmit={submit} onKeyDown={cancelOnEscape}>
      <div className="album-edit-fields">
        <input
          name="name"
          data-testid="edit-name"
          aria-label="Name"
          defaultValue={album.name}
          required
          autoFocus
          autoComplete="off"
        />
        <input
          name="artist"
          data-testid="edit-artist"
          aria-label="Artist"
          defaultValue={album.artist}
          required
          autoComplete="off"
        />
        <input {...YEAR_INPUT} name="year" data-testid="edit-year" aria-label="Year" defaultValue={album.year} required />
      </div>
      <div className="album-actions">
        <button type="submit" className="icon-button is-save" data-testid="row-save" aria-label={`Save ${album.name}`}>
          <SaveIcon />
        </button>
        <button type="button" className="icon-button" aria-label="Leave as it was" onClick={onCancel}>
          <CancelIcon />
        </button>
        <DeleteButton album={album} onRemove={onRemove} />
      </div>
    </form>
  );
}

interface DeleteButtonProps {
  readonly album: Album;
  readonly onRemove: (id: EntityId) => void;
}

function DeleteButton({ album, onRemove }: DeleteButtonProps): ReactElement {
  return (
    <button
      type="button"
      className="icon-button"
      data-testid="row-delete"
      aria-label={`Delete ${album.name}`}
      onClick={() => onRemove(album.id)}
    >
      <DeleteIcon />
    </button>
  );
}

/** A cover for albums that have none: a colour of their artist, with the first letter of the name. */
function Sleeve({ album }: { readonly album: Album }): ReactElement {
  let hash = 0;
  for (const character of album.artist) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  const [initial = '♪'] = album.name;
  return (
    <span className="sleeve" style={{ '--hue': hash } as CSSProperties} aria-hidden="true">
      {initial.toUpperCase()}
    </span>
  );
}
