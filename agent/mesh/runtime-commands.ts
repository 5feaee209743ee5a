/** Pure: changes of the running haproxy as lines for its admin socket. */
import { isInstanceId } from './registered.js';
import type { ServerAt } from './served-servers.js';

/**
 * What the template's `default-server` and server lines say, for servers that are added at runtime: those do not inherit it. A test
 * compares this with the template. haproxy 2.6 takes no `tcp-ut` for them: they have it after the next reload.
 */
export const serverParameters = 'check inter 500ms fall 2 rise 1 pool-purge-delay 250ms';

/**
 * `add` a server that is not there; `move` one to another address; `ready` puts one back into rotation; `drain` gives it no new
 * request and lets those under way end; `delete` takes it away, and what is still under way with it.
 */
export interface RuntimeCommand extends ServerAt {
  do: 'add' | 'move' | 'ready' | 'drain' | 'delete';
}

/** `<app>`, `<group>-<app>` or `<group>.<app>`. */
const backendGrammar = /^[a-z][a-z0-9.-]{0,80}$/;
const addressGrammar = /^([0-9]{1,3}(?:\.[0-9]{1,3}){3}):([1-9][0-9]{0,4})$/;

/**
 * The lines of one command, joined by `;`. Undefined for a name or an address that has no business on haproxy's command line: a line
 * feed or a semicolon in it would be a command of its own.
 */
export function commandText({ do: what, backend, server, address }: RuntimeCommand): string | undefined {
  const at = addressGrammar.exec(address);
  if (!backendGrammar.test(backend) || !isInstanceId(server) || !at) return undefined;
  const name = `${backend}/${server}`;
  switch (what) {
    case 'add':
      return `add server ${name} ${address} ${serverParameters};enable health ${name};enable server ${name}`;
    case 'move':
      return `set server ${name} addr ${at[1]} port ${at[2]}`;
    case 'ready':
      return `set server ${name} state ready`;
    case 'drain':
      return `set server ${name} state drain`;
    case 'delete':
      return `set server ${name} state maint;del server ${name}`;
  }
}

/** Lines of at most `limit` bytes, with as many commands on each as fit. */
export function packed(texts: readonly string[], limit: number): string[] {
  const lines: string[] = [];
  for (const text of texts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + text.length <= limit)
      lines[lines.length - 1] = `${last};${text}`;
    else lines.push(text);
  }
  return lines;
}
