'use client';

import type { Client } from '@ankurah-go/client';
import { createContext, createElement, useContext, type Context, type ReactElement, type ReactNode } from 'react';

const ClientContext: Context<Client | undefined> = createContext<Client | undefined>(undefined);

/** What {@link AnkurahProvider} takes. */
export interface AnkurahProviderProps {
  /** The client that the hooks below use. The provider neither opens nor closes it. */
  readonly client: Client;
  readonly children?: ReactNode;
}

/**
 * Gives a client to the hooks of every component below it.
 *
 * Handing it another client (another user signed in, say) moves every hook over to that one: what
 * the old client showed is gone with the first render.
 */
export function AnkurahProvider({ client, children }: AnkurahProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/**
 * Returns the client of the nearest {@link AnkurahProvider}.
 *
 * @throws {Error} where there is none above the component.
 */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === undefined) {
    throw new Error('There is no <AnkurahProvider> above the component');
  }
  return client;
}
