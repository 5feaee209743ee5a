/** Pure: sets of servers, and whether two say the same. */

/** An instance behind a backend of haproxy. */
export interface ServerAt {
  backend: string;
  /** Instance id. */
  server: string;
  /** ipv4:port */
  address: string;
}

/** Order of UTF-16 code units, as sort() has it: the same on every node, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One server as text; none of the parts can hold a space. */
export function serverText({ backend, server, address }: ServerAt): string {
  return `${backend} ${server} ${address}`;
}

/** Whether both hold the same servers, in whatever order. */
export function sameServers(a: readonly ServerAt[], b: readonly ServerAt[]): boolean {
  const texts = new Set(a.map(serverText));
  return texts.size === new Set(b.map(serverText)).size && b.every((server) => texts.has(serverText(server)));
}
