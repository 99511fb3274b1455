/** Whether the browser has a network, as far as it knows; where nobody can tell, there is one. */
export function hasNetwork(): boolean {
  return globalThis.navigator?.onLine !== false;
}

/**
 * Calls `changed` whenever the browser finds or loses its network. Returns what ends it.
 *
 * It is the page that listens: a shared worker is not told.
 */
export function watchNetwork(changed: (online: boolean) => void): () => void {
  const target: Partial<EventTarget> = globalThis;
  const online = (): void => changed(true);
  const offline = (): void => changed(false);
  target.addEventListener?.('online', online);
  target.addEventListener?.('offline', offline);
  return () => {
    target.removeEventListener?.('online', online);
    target.removeEventListener?.('offline', offline);
  };
}
