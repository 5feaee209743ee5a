/** A TCP relay whose connections can be cut, and which can be made to refuse new ones. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CutProxy {
  port: number;
  /** Connections that are open now. */
  open(): number;
  /** Ends every connection. */
  cut(): void;
  /** While it blocks, every new connection ends at once. */
  block(blocks: boolean): void;
  close(): Promise<void>;
}

export async function startCutProxy(target: number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let blocks = false;
  const server = createServer((client) => {
    if (blocks) {
      client.destroy();
      return;
    }
    const upstream = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    open: () => sockets.size / 2,
    cut,
    block: (value) => {
      blocks = value;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
