import { usePresence, type Presence } from '@ankurah-go/react/presence';
import type { EntityId } from '@ankurah-go/client';
import { createContext, useContext, useState, type CSSProperties, type ReactElement, type ReactNode } from 'react';

/** What a tab tells the others of who looks at the albums. */
export type Visitor = {
  readonly name: string;
  /** The album that is being edited. */
  readonly editing: EntityId | null;
};

const VisitorsContext = createContext<Presence<Visitor> | undefined>(undefined);

const ANIMALS = ['Badger', 'Crane', 'Dormouse', 'Falcon', 'Gecko', 'Heron', 'Ibis', 'Jackdaw', 'Lynx', 'Marten', 'Otter', 'Puffin'];

/** Is in the room of the albums, and tells the components below who else is. */
export function VisitorsProvider({ children }: { readonly children: ReactNode }): ReactElement {
  const [name] = useState(() => ANIMALS[Math.floor(Math.random() * ANIMALS.length)] ?? 'Guest');
  const presence = usePresence<Visitor>('albums', { name, editing: null });
  return <VisitorsContext value={presence}>{children}</VisitorsContext>;
}

export function useVisitors(): Presence<Visitor> {
  const presence = useContext(VisitorsContext);
  if (presence === undefined) throw new Error('There is no <VisitorsProvider> above the component');
  return presence;
}

/** How many faces there is room for. */
const SHOWN = 5;

/** Who else is looking at the albums. */
export function Visitors(): ReactElement {
  const { others } = useVisitors();
  return (
    <ul className="visitors" data-testid="visitors" data-count={others.length} aria-label="Also here">
      {others.slice(0, SHOWN).map(({ id, state }) => (
        <li key={id}>
          <Face id={id} name={state.name} />
        </li>
      ))}
      {others.length > SHOWN && <li className="visitors-more">+{others.length - SHOWN}</li>}
    </ul>
  );
}

/** Who else is editing an album. */
export function Editors({ album }: { readonly album: EntityId }): ReactElement {
  const editors = useVisitors().others.filter(({ state }) => state.editing === album);
  return (
    <>
      {editors.slice(0, SHOWN).map(({ id, state }) => (
        <span key={id} data-testid="row-editor" className="editor" title={`${state.name} is editing this`}>
          <Face id={id} name={state.name} />
        </span>
      ))}
    </>
  );
}

function Face({ id, name }: { readonly id: string; readonly name: string }): ReactElement {
  let hue = 0;
  for (const character of id) hue = (hue * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return (
    <span className="face" style={{ '--hue': hue } as CSSProperties} title={name} role="img" aria-label={name}>
      {name.slice(0, 1)}
    </span>
  );
}
