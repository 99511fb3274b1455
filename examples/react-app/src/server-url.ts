/** Where the page runs, as far as the server's address depends on it. */
export interface Surroundings {
  /** `VITE_ANKURAH_URL` of the build, if set. */
  readonly configured: string | undefined;
  /** Whether Vite's development server serves the page. */
  readonly development: boolean;
  /** The host name of the page. */
  readonly hostname: string;
}

/**
 * Returns the WebSocket of the durable server, or undefined for `/ws` on the page's own origin, which is
 * where it is when the server itself serves the app.
 */
export function serverUrl({ configured, development, hostname }: Surroundings): string | undefined {
  if (configured) return configured;
  return development ? `ws://${hostname}:9797/ws` : undefined;
}
