import { ClientError } from './errors.ts';
import type { StartHost } from './host.ts';
import { PortLink } from './port-link.ts';

/** Runs the node in a worker that all tabs of this origin and name share. */
export const startWorkerHost: StartHost = (options, events) => {
  const name = `ankurah ${options.name}`;
  const worker = new SharedWorker(new URL('./worker.js', import.meta.url), { type: 'module', name });
  const fail = (message: string): void => {
    link.drop();
    events.failed(new ClientError('internal', message));
  };
  const link = new PortLink(worker.port, options, events, () => fail('the worker of the node has crashed'));
  worker.onerror = event => {
    const why = event instanceof ErrorEvent && event.message ? `: ${event.message}` : '';
    fail(`the worker of the node could not be started${why}`);
  };
  // Where there are no locks to tell it, a page that goes says so.
  const leave = (event: PageTransitionEvent): void => {
    if (!event.persisted) void link.close();
  };
  addEventListener('pagehide', leave, { signal: link.over });
  return link;
};
