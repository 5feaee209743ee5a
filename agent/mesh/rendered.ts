/** Pure: the routes that a rendered haproxy configuration holds. */
import type { Route, RouteServer } from './routes.js';

/** The part of a route that can be read back from the file. */
export type RenderedRoute = Pick<Route, 'listener' | 'port' | 'backend' | 'http' | 'healthPath' | 'servers'>;

/** Reads a file that nixos/modules/haproxy/mesh.cfg.tmpl made; lines it does not know are nothing to it. */
export function parseRendered(text: string): RenderedRoute[] {
  const routes: RenderedRoute[] = [];
  for (const line of text.split('\n')) {
    const [word, name = '', ...rest] = line.trim().split(' ');
    const route = routes.at(-1);
    if (word === 'listen') {
      routes.push({ listener: name, port: 0, backend: '', http: false, healthPath: '', servers: [] });
    } else if (!route) {
      // Everything before the first listener.
    } else if (word === 'bind') {
      route.port = Number(name.slice(name.lastIndexOf(':') + 1));
    } else if (word === 'use_backend') {
      route.backend = name;
    } else if (word === 'mode') {
      route.http = name === 'http';
    } else if (word === 'option' && name === 'httpchk') {
      route.healthPath = rest[1] ?? '';
    } else if (word === 'server') {
      const server: RouteServer = { id: name, address: rest[0] ?? '' };
      route.servers.push(server);
    }
  }
  return routes;
}

/** Whether a file holds exactly these routes. */
export function holds(rendered: readonly RenderedRoute[], routes: readonly Route[]): boolean {
  const expected = routes.map(
    ({ listener, port, backend, http, healthPath, servers }): RenderedRoute => ({
      listener,
      port,
      backend,
      http,
      healthPath,
      servers,
    }),
  );
  return JSON.stringify(rendered) === JSON.stringify(expected);
}
