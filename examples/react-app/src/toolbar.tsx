import { useId, type ReactElement } from 'react';

import { ORDERS, type FilterProblem, type SortKey } from './selection.ts';

interface ToolbarProps {
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
  readonly problem: FilterProblem | undefined;
  readonly sort: SortKey;
  readonly onSort: (sort: SortKey) => void;
}

/** The filter, with what is wrong about it, and the order. */
export function Toolbar({ filter, onFilter, problem, sort, onSort }: ToolbarProps): ReactElement {
  const noteId = useId();
  return (
    <div className="toolbar" role="search">
      <label className="field">
        Filter
        <input
          data-testid="filter"
          value={filter}
          onChange={event => onFilter(event.target.value)}
          placeholder="year > 1999 AND artist LIKE 'M%'"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          autoCorrect="off"
          aria-invalid={problem !== undefined}
          aria-describedby={noteId}
        />
      </label>
      <label className="field">
        Sort by
        <select data-testid="sort" value={sort} onChange={event => onSort(event.target.value as SortKey)}>
          {Object.keys(ORDERS).map(key => (
            <option key={key} value={key}>
              {key}
            </option>
          ))}
        </select>
      </label>
      <div id={noteId} className="toolbar-foot" aria-live="polite">
        {problem ? <FilterError {...problem} /> : <FilterHelp onPick={onFilter} />}
      </div>
    </div>
  );
}

function FilterError({ message, hint, before, after }: FilterProblem): ReactElement {
  return (
    <div className="filter-error" data-testid="filter-error">
      {message}
      {hint !== '' && <>; {hint}</>}
      <pre aria-hidden="true">
        {before}
        <mark>{after}</mark>
      </pre>
    </div>
  );
}

const EXAMPLES = ['year >= 2000', "artist ILIKE 'r%'", 'year BETWEEN 1990 AND 1999'];

function FilterHelp({ onPick }: { readonly onPick: (filter: string) => void }): ReactElement {
  return (
    <p className="toolbar-note">
      Try{' '}
      {EXAMPLES.map(example => (
        <button key={example} type="button" className="example" onClick={() => onPick(example)}>
          {example}
        </button>
      ))}
    </p>
  );
}
