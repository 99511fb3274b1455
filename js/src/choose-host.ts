import type { ClientOptions } from './client.ts';
import { ClientError } from './errors.ts';
import type { Host, StartHost } from './host.ts';
import { startWorkerHost } from './worker-host.ts';

/** Returns where the node of a client runs. The less usual places are loaded when needed. */
export function chooseHost(options: ClientOptions): StartHost {
  if (options.worker === false) return later(async () => (await import('./page-host.ts')).startPageHost);
  if (typeof document === 'undefined') return startNowhere;
  if (typeof SharedWorker !== 'undefined') return startWorkerHost;
  return later(async () => (await import('./tab-host.ts')).startTabHost);
}

/** Rendering on a server: nothing starts, and every result stays as it is. */
const startNowhere: StartHost = () => ({ send: () => {}, close: () => Promise.resolve() });

/** Starts a host whose code is loaded first. */
function later(load: () => Promise<StartHost>): StartHost {
  return (options, events) => {
    let closed = false;
    const loading: Promise<Host | undefined> = load().then(
      start => (closed ? undefined : start(options, events)),
      (cause: unknown) => {
        if (!closed) events.failed(new ClientError('internal', 'the code that runs the node could not be loaded', { cause }));
        return undefined;
      },
    );
    let host: Host | undefined;
    void loading.then(started => (host = started));
    return {
      send: frame => host?.send(frame),
      close: async () => {
        closed = true;
        await (await loading)?.close();
      },
    };
  };
}
