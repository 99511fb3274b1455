import { ClientError } from './errors.ts';
import type { StartHost } from './host.ts';
import { startProgram, type Program } from './program.ts';

/** Runs the node in this page: for tests and Node.js. */
export const startPageHost: StartHost = ({ wasmUrl }, events) => {
  let closed = false;
  let program: Program | undefined;
  const starting = startProgram(wasmUrl, {
    // Later, so that nothing of the page runs inside of a call into Go.
    message: (_port, frame) => queueMicrotask(() => {
      if (!closed) events.message(frame);
    }),
    failed: error => {
      if (!closed && program !== undefined) events.failed(error);
    },
  }).then(
    started => {
      program = started;
      if (!closed) events.open();
    },
    (error: unknown) => {
      if (!closed) events.failed(error instanceof ClientError ? error : new ClientError('internal', String(error)));
    },
  );
  return {
    send: frame => program?.receive(1, frame),
    close: async () => {
      closed = true;
      await starting;
      await program?.stop();
    },
  };
};
