interface ImportMetaEnv {
  /** The durable server's WebSocket, where it is not the default one. */
  readonly VITE_ANKURAH_URL?: string;
}
