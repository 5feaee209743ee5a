/**
 * Partitions between pairs of machines, as nftables rules on the lab's bridge. The kernel's set is the only record: it lives as long
 * as the switch, names cables and not addresses, and so outlasts a reboot of the machines.
 */

/** Two ports of the bridge, in the direction of the frames. */
export type Direction = readonly [from: string, to: string];

/**
 * A script for `nft -f -` that drops what these ports say to the others, both ways; running it again changes nothing.
 * ARP passes: between servers of a cloud stand routers, so that a peer behind a broken path is silent and not "no route to host".
 */
export function partitionScript(port: string, others: readonly string[]): string {
  const directions = others.flatMap((other): Direction[] => [
    [port, other],
    [other, port],
  ]);
  return lines([
    'add table bridge lab',
    'add set bridge lab cut { type ifname . ifname; }',
    'add chain bridge lab between { type filter hook forward priority 0; }',
    'flush chain bridge lab between',
    'add rule bridge lab between ether type { ip, ip6 } iifname . oifname @cut drop',
    `add element bridge lab cut { ${directions.map(element).join(', ')} }`,
  ]);
}

/** A script for `nft -f -` that lets all these through again; each must be in the set. */
export function rejoinScript(directions: readonly Direction[]): string {
  return lines(directions.map((direction) => `delete element bridge lab cut { ${element(direction)} }`));
}

/** Directions that are dropped at this port, from what `nft -j list set bridge lab cut` says. */
export function directionsOf(listing: string, port: string): Direction[] {
  const { nftables } = JSON.parse(listing) as { nftables: { set?: { elem?: { concat: string[] }[] } }[] };
  return nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map(({ concat: [from = '', to = ''] }): Direction => [from, to])
    .filter((direction) => direction.includes(port));
}

function element([from, to]: Direction): string {
  return `"${from}" . "${to}"`;
}

function lines(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}
