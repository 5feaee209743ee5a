/** Pure: what haproxy prints on its admin socket, turned into the servers of the worker that answers. */
import { compareText } from './served-servers.js';

/** `show info` says which worker answers and whether it is on its way out; `show stat -1 6 -1` are its backends and servers. */
const before = 'show info';
const after = 'show stat -1 6 -1\n';
export const question = `${before};${after}`;

/** Questions that carry out these lines on the way, one each: the worker that did it says what has become of it. */
export function questions(lines: readonly string[]): string[] {
  return lines.length === 0 ? [question] : lines.map((line) => `${before};${line};${after}`);
}

/** One server as haproxy sees it. */
export interface RunningServer {
  backend: string;
  /** Instance id. */
  server: string;
  /** ipv4:port */
  address: string;
  /** haproxy's words: `UP`, `UP 1/2`, `no check`, `DOWN`, `DRAIN`, `MAINT`, ... */
  status: string;
  weight: string;
  /** Requests that it works on. */
  sessions: number;
}

/** What one worker says of itself. */
export interface Running {
  pid: string;
  /** What the configuration it was started from calls itself (haproxy.nix); empty where it has no name. */
  description: string;
  backends: ReadonlySet<string>;
  /** Sorted by backend and id. */
  servers: RunningServer[];
}

/** One line of CSV: fields may be quoted, with doubled quotes inside. */
export function csvFields(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (char === '"' && quoted && line[at + 1] === '"') {
      field += char;
      at += 1;
    } else if (char === '"') {
      quoted = !quoted;
    } else if (char === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else {
      field += char;
    }
  }
  return [...fields, field];
}

/** Whether haproxy sends requests to a server; `UP 1/2` is one whose checks began to fail. */
export function isUp(status: string, weight: string): boolean {
  return weight !== '0' && (/^UP( |$)/.test(status) || status === 'no check');
}

/** Whether somebody took the server out of rotation, whatever its checks say: it gets no new request until that is taken back. */
export function isOut(status: string): boolean {
  return /^(DRAIN|MAINT)( |$)/.test(status);
}

/**
 * The answer to `question`; 'stopping' when it came from a worker that a reload has replaced already. Throws when the answer is not
 * whole or not haproxy's.
 */
export function parseAnswer(text: string): Running | 'stopping' {
  const start = text.lastIndexOf('# pxname,');
  const info = (name: string) =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(text.slice(0, Math.max(start, 0)))?.[1];
  const [stopping, pid] = [info('Stopping'), info('Pid')];
  if (stopping === undefined || pid === undefined || !text.endsWith('\n'))
    throw new Error('not an answer of haproxy, or cut off');
  if (stopping !== '0') return 'stopping';
  const [header = '', ...lines] = text.slice(start + 2).split('\n');
  const names = csvFields(header);
  const column = (name: string) => {
    const at = names.indexOf(name);
    if (at < 0) throw new Error(`haproxy does not tell ${name} of its servers`);
    return at;
  };
  const [backend, server, address, type] = [
    column('pxname'),
    column('svname'),
    column('addr'),
    column('type'),
  ];
  const [status, weight, sessions] = [column('status'), column('weight'), column('scur')];
  const rows = lines.filter((line) => line !== '').map(csvFields);
  return {
    pid,
    description: info('description') ?? '',
    backends: new Set(rows.filter((fields) => fields[type] === '1').map((fields) => fields[backend] ?? '')),
    servers: rows
      .filter((fields) => fields[type] === '2')
      .map((fields) => ({
        backend: fields[backend] ?? '',
        server: fields[server] ?? '',
        address: fields[address] ?? '',
        status: fields[status] ?? '',
        weight: fields[weight] ?? '',
        sessions: Number(fields[sessions]),
      }))
      .sort((a, b) => compareText(a.backend, b.backend) || compareText(a.server, b.server)),
  };
}
