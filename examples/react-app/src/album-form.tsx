import { useRef, type FormEvent, type ReactElement } from 'react';

import { readAlbum, YEAR_INPUT } from './album-fields.ts';
import { useAlbumActions } from './use-albums.ts';

/** The form that adds an album. */
export function AlbumForm(): ReactElement {
  const { add } = useAlbumActions();
  const nameInput = useRef<HTMLInputElement>(null);

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    add(readAlbum(form));
    form.reset();
    nameInput.current?.focus();
  };

  return (
    <form className="card album-form" data-testid="album-form" aria-label="Add an album" onSubmit={submit}>
      <h2>Add an album</h2>
      <div className="album-form-fields">
        <label className="field">
          Name
          <input ref={nameInput} name="name" data-testid="album-name" required autoComplete="off" />
        </label>
        <label className="field">
          Artist
          <input name="artist" data-testid="album-artist" required autoComplete="off" />
        </label>
        <label className="field">
          Year
          <input {...YEAR_INPUT} name="year" data-testid="album-year" required />
        </label>
      </div>
      <button type="submit" className="primary" data-testid="album-add">
        Add
      </button>
    </form>
  );
}
