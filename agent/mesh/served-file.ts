/** Pure: haproxy's configuration as confd writes it, taken apart into its shape and its servers. */
import type { ServerAt } from './served-servers.js';

export interface ServedFile {
  /** Everything but servers, comments and empty lines: what a running haproxy cannot change. */
  shape: string;
  servers: ServerAt[];
  /** Lines of servers that are not as the template writes them; whoever finds some had better reload. */
  odd: string[];
}

/** `server <id> <ipv4>:<port> check tcp-ut 1s`, as the template writes it; anything more would be part of the shape. */
const serverLine = /^server (\S+) (\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}) check tcp-ut 1s$/;

export function parseServedFile(text: string): ServedFile {
  const shape: string[] = [];
  const servers: ServerAt[] = [];
  const odd: string[] = [];
  let backend = '';
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const section =
      /^(global|defaults|listen|frontend|backend|userlist|peers|resolvers|cache|program)(\s+(\S+).*)?$/.exec(
        line,
      );
    if (section) backend = section[1] === 'backend' || section[1] === 'listen' ? (section[3] ?? '') : '';
    if (!/^server\s/.test(line)) {
      shape.push(line);
      continue;
    }
    const [, server, address] = serverLine.exec(line) ?? [];
    if (backend === '' || server === undefined || address === undefined) odd.push(line);
    else servers.push({ backend, server, address });
  }
  return { shape: shape.join('\n'), servers, odd };
}

/** What haproxy.nix appends to the copy that haproxy is started from; a running worker tells it as its description. */
const nameLines = /\nglobal\n {2}description (load-\S+)\n$/;

/** The copy that the last start or reload gave to haproxy, and its name; empty where it has none. */
export function parseLoaded(text: string): ServedFile & { name: string } {
  const name = nameLines.exec(text)?.[1] ?? '';
  return { ...parseServedFile(text.replace(nameLines, '\n')), name };
}
