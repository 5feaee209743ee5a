/** Addresses of the lab network: lowest free host first, so that a small cluster has small, stable numbers. */
import { Problem } from '../../shared/errors.js';

export interface Network {
  /** IPv4 network of the machines, e.g. `10.77.0.0/24`. */
  cidr: string;
  /** First host number given to a server; those below belong to the lab itself (gateway, metadata). */
  firstHost: number;
}

/** The lowest free address, or undefined when the network is full. */
export function freeIpv4(network: Network, used: ReadonlySet<string>): string | undefined {
  const { base, size } = parsed(network.cidr);
  for (let host = network.firstHost; host < size - 1; host += 1) {
    const address = dotted(base + host);
    if (!used.has(address)) return address;
  }
  return undefined;
}

/**
 * The /64 that goes with an IPv4 address. The lab routes no IPv6; the prefix is the documentation one, so nobody
 * reaches a stranger by it.
 */
export function ipv6For(ipv4: string): string {
  const [, , c = 0, d = 0] = ipv4.split('.').map(Number);
  return `2001:db8:${c.toString(16)}:${d.toString(16)}::/64`;
}

/** Throws `lab.failed` unless the network is an IPv4 CIDR with room for `firstHost`. */
export function checkedNetwork(network: Network): Network {
  const { size } = parsed(network.cidr);
  if (Number.isInteger(network.firstHost) && network.firstHost > 1 && network.firstHost < size - 1)
    return network;
  throw new Problem('lab.failed', `firstHost ${network.firstHost} does not lie in ${network.cidr}`);
}

function parsed(cidr: string): { base: number; size: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const [a = 256, b = 256, c = 256, d = 256, bits = 0] = match?.slice(1).map(Number) ?? [];
  if (![a, b, c, d].every((part) => part <= 255) || bits < 16 || bits > 29) {
    throw new Problem('lab.failed', `"${cidr}" is not an IPv4 network between /16 and /29`);
  }
  const size = 2 ** (32 - bits);
  const address = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  return { base: address - (address % size), size };
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
