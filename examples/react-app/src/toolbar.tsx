import type { ReactElement } from 'react';

import { YEAR_INPUT } from './album-fields.ts';
import { ORDERS, type AlbumFilter, type AlbumSort, type SortKey } from './album-query.ts';

interface ToolbarProps {
  readonly filter: AlbumFilter;
  readonly onFilter: (filter: AlbumFilter) => void;
  readonly sort: AlbumSort;
  readonly onSort: (sort: AlbumSort) => void;
}

/** What to look for, and in which order to show it. */
export function Toolbar({ filter, onFilter, sort, onSort }: ToolbarProps): ReactElement {
  return (
    <div className="toolbar" role="search">
      <label className="field">
        Search
        <input
          type="search"
          data-testid="search"
          value={filter.words}
          onChange={event => onFilter({ ...filter, words: event.target.value })}
          placeholder="Name or artist"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          autoCorrect="off"
        />
      </label>
      <YearField label="From" testId="year-from" year={filter.from} onYear={from => onFilter({ ...filter, from })} />
      <YearField label="To" testId="year-to" year={filter.to} onYear={to => onFilter({ ...filter, to })} />
      <div className="sorts" role="group" aria-label="Sort by">
        {(Object.keys(ORDERS) as SortKey[]).map(key => (
          <SortButton key={key} of={key} sort={sort} onSort={onSort} />
        ))}
      </div>
    </div>
  );
}

interface YearFieldProps {
  readonly label: string;
  readonly testId: string;
  readonly year: number | undefined;
  readonly onYear: (year: number | undefined) => void;
}

function YearField({ label, testId, year, onYear }: YearFieldProps): ReactElement {
  return (
    <label className="field">
      {label}
      <input
        {...YEAR_INPUT}
        data-testid={testId}
        value={year ?? ''}
        onChange={event => onYear(event.target.value === '' ? undefined : Math.trunc(event.target.valueAsNumber))}
        placeholder="Year"
      />
    </label>
  );
}

interface SortButtonProps {
  readonly of: SortKey;
  readonly sort: AlbumSort;
  readonly onSort: (sort: AlbumSort) => void;
}

/** Sorts by one column; once more, the other way round. */
function SortButton({ of, sort, onSort }: SortButtonProps): ReactElement {
  const direction = sort.key === of ? sort.direction : undefined;
  return (
    <button
      type="button"
      className="sort"
      data-testid={`sort-${of}`}
      aria-pressed={direction !== undefined}
      onClick={() => onSort({ key: of, direction: direction === 'asc' ? 'desc' : 'asc' })}
    >
      {of}
      <span aria-label={direction === 'desc' ? 'descending' : 'ascending'} hidden={direction === undefined}>
        {direction === 'desc' ? '↓' : '↑'}
      </span>
    </button>
  );
}
