/** Pure: what haproxy prints on its admin socket, turned into servers. */
import type { MeshServer } from '../../proto/gen/nixinfra/v1/agent.js';

/** `show info` says whether the worker that answers is on its way out; `show stat -1 4 -1` are the servers, and nothing else. */
export const question = 'show info;show stat -1 4 -1\n';

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

/**
 * The servers in the answer to `question`, sorted; 'stopping' when it came from a worker that a reload has replaced already. Throws
 * when the answer is not whole or not haproxy's.
 */
export function parseAnswer(text: string): MeshServer[] | 'stopping' {
  const stopping = /^Stopping: (\d+)$/m.exec(text)?.[1];
  const start = text.indexOf('# pxname,');
  if (stopping === undefined || start < 0 || !text.endsWith('\n'))
    throw new Error('not an answer of haproxy, or cut off');
  if (stopping !== '0') return 'stopping';
  const [header = '', ...lines] = text.slice(start + 2).split('\n');
  const names = csvFields(header);
  const column = (name: string) => {
    const at = names.indexOf(name);
    if (at < 0) throw new Error(`haproxy does not tell ${name} of its servers`);
    return at;
  };
  const [backend, server, address] = [column('pxname'), column('svname'), column('addr')];
  const [status, weight] = [column('status'), column('weight')];
  return lines
    .filter((line) => line !== '')
    .map(csvFields)
    .map((fields) => ({
      backend: fields[backend] ?? '',
      server: fields[server] ?? '',
      address: fields[address] ?? '',
      up: isUp(fields[status] ?? '', fields[weight] ?? ''),
    }))
    .sort((a, b) => compare(a.backend, b.backend) || compare(a.server, b.server));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
