import type { RejectedChange, Rejection } from '@ankurah-go/client';
import { useClient, useTransact } from '@ankurah-go/react';
import { useState, type FormEvent, type ReactElement } from 'react';

import { readFields, YEAR_INPUT } from './album-fields.ts';
import { Album } from './model.ts';
import type { AlbumFields } from './use-albums.ts';

const VERBS = { create: 'Add', edit: 'Change', delete: 'Delete', restore: 'Bring back' } as const;

const FIELDS = ['name', 'artist', 'year'] as const;

const LABELS = { name: 'Name', artist: 'Artist', year: 'Year' } as const;

interface RejectionNoticeProps {
  readonly rejection: Rejection;
  readonly report: (title: string, error: unknown) => void;
}

/** What a change would have written. */
function described({ values }: RejectedChange): string {
  const fields = FIELDS.filter(field => field in values);
  return fields.map(field => `${field}: ${String(values[field])}`).join(', ');
}

/** What the server refused: to be tried again as it is, to be changed first, or to be discarded. */
export function RejectionNotice({ rejection, report }: RejectionNoticeProps): ReactElement {
  const { transaction, code, message, changes } = rejection;
  const client = useClient();
  const transact = useTransact();
  const [editing, setEditing] = useState(false);
  const [change] = changes;
  const editable = changes.length === 1 && (change?.kind === 'create' || change?.kind === 'edit') ? change : undefined;

  const run = (failed: string, done: Promise<unknown>): void => {
    done.catch((reason: unknown) => report(failed, reason));
  };
  const save = (event: FormEvent<HTMLFormElement>, of: RejectedChange): void => {
    event.preventDefault();
    const fields = { ...of.values, ...readFields(event.currentTarget) };
    setEditing(false);
    run(
      'The change was not made',
      transact(
        async tx => {
          if (of.kind === 'create') await tx.create(Album, fields as AlbumFields);
          else tx.edit(Album, of.id).set(fields);
        },
        { replaces: transaction },
      ),
    );
  };

  return (
    <li className="notice" data-testid="rejection" data-code={code}>
      <div>
        <p>
          <strong>The server refused a change, and it was taken back</strong>
          {message}
        </p>
        {changes.map((refused, i) => (
          <p key={i} className="notice-change">
            {VERBS[refused.kind]} {described(refused)}
          </p>
        ))}
        {editing && editable && (
          <form className="notice-form" aria-label="Change it first" onSubmit={event => save(event, editable)}>
            {FIELDS.filter(field => field in editable.values).map(field => (
              <input
                key={field}
                {...(field === 'year' && YEAR_INPUT)}
                name={field}
                data-testid={`rejected-${field}`}
                aria-label={LABELS[field]}
                defaultValue={String(editable.values[field])}
                required
                autoComplete="off"
              />
            ))}
            <button type="submit" data-testid="rejection-save">
              Save
            </button>
          </form>
        )}
      </div>
      <div className="notice-actions">
        {changes.length > 0 && (
          <button type="button" data-testid="retry" onClick={() => run('Could not try it again', client.retryRejection(transaction))}>
            Try again
          </button>
        )}
        {editable && (
          <button type="button" data-testid="rejection-edit" aria-expanded={editing} onClick={() => setEditing(!editing)}>
            Edit
          </button>
        )}
        <button type="button" onClick={() => run('Could not dismiss the notice', client.dismissRejection(transaction))}>
          Dismiss
        </button>
      </div>
    </li>
  );
}
