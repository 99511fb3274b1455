import { once } from 'node:events';
import { connect, createServer, type Server as Listener, type Socket } from 'node:net';
import { freePort } from './server.ts';

/**
 * The network between browsers and a server: it can be cut, and it counts the WebSockets that go through
 * it. Cutting it is what a browser's own offline switch is not: it reaches workers too, and it does not
 * tell anybody.
 */
export class Wire {
  readonly port: number;
  readonly #to: number;
  readonly #listener: Listener;
  readonly #sockets = new Map<Socket, { webSocket: boolean }>();
  #cut = false;

  private constructor(port: number, to: number) {
    this.port = port;
    this.#to = to;
    this.#listener = createServer(socket => this.#accept(socket)).listen(port, '127.0.0.1');
  }

  /** Opens a wire to a port of this machine. */
  static async to(port: number): Promise<Wire> {
    const wire = new Wire(await freePort(), port);
    await once(wire.#listener, 'listening');
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** How many WebSockets are open through the wire. */
  get webSockets(): number {
    return [...this.#sockets.values()].filter(({ webSocket }) => webSocket).length;
  }

  /** Breaks every connection, and every new one. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /** Lets connections through again. */
  mend(): void {
    this.#cut = false;
  }

  async remove(): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #accept(socket: Socket): void {
    if (this.#cut) {
      socket.destroy();
      return;
    }
    const state = { webSocket: false };
    this.#sockets.set(socket, state);
    const upstream = connect(this.#to, '127.0.0.1');
    socket.once('data', head => (state.webSocket = head.toString('latin1').startsWith('GET /ws ')));
    socket.pipe(upstream).pipe(socket);
    const end = (): void => {
      this.#sockets.delete(socket);
      socket.destroy();
      upstream.destroy();
    };
    for (const side of [socket, upstream]) side.on('error', end).on('close', end);
  }
}
