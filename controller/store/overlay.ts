/**
 * Overlay subnets. A flannel lease without a TTL is a reservation: flanneld finds it by the public address and never lets it
 * expire, so a node's overlay address is known before flannel runs there and survives everything.
 */
import { Problem } from '../../shared/errors.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { keys } from './keys.js';
import { overlayShape, parseValue, subnetShape } from './shapes.js';

/** flannel's SubnetMin 10.10.0.0 to SubnetMax 10.99.0.0, cut in /24, lowest first. */
export function* candidateNetworks(): Generator<string> {
  for (let second = 10; second < 99; second++) {
    for (let third = 0; third < 256; third++) yield `10.${second}.${third}.0`;
  }
  yield '10.99.0.0';
}

/** The lowest network that nobody holds; undefined when all are taken. */
export function lowestFree(taken: ReadonlySet<string>): string | undefined {
  for (const network of candidateNetworks()) if (!taken.has(network)) return network;
  return undefined;
}

function networkOf(subnetKey: string): string {
  return subnetKey.slice(keys.subnets.length).replace(/-24$/, '');
}

/** The node's subnet in CIDR form; the same one at every call. Two callers at once never get the same. */
export async function reserveOverlay(etcd: EtcdStore, node: string, ipv4: string): Promise<string> {
  for (let attempt = 0; attempt < defaults.overlayAttempts; attempt++) {
    const { entries } = await etcd.getPrefix(keys.subnets);
    const held = entries.find((entry) => parseValue(entry.key, entry.value, subnetShape).PublicIP === ipv4);
    const network = held
      ? networkOf(held.key)
      : lowestFree(new Set(entries.map((entry) => networkOf(entry.key))));
    if (network === undefined) throw new Problem('provider.quota', 'No overlay subnet is free', { node });
    const reserved =
      held !== undefined ||
      (await etcd.compareAndSet(keys.subnet(network), 0, JSON.stringify({ PublicIP: ipv4 })));
    if (!reserved) continue;
    const subnet = `${network}/24`;
    await etcd.put(keys.overlay(node), JSON.stringify({ subnet, ipv4 }));
    return subnet;
  }
  throw new Problem('etcd.unavailable', 'An overlay subnet could not be reserved', {
    node,
    reason: 'too many others at once',
  });
}

/** Gives the node's subnet back; number of keys deleted. */
export async function releaseOverlay(etcd: EtcdStore, node: string): Promise<number> {
  const key = keys.overlay(node);
  const entry = await etcd.get(key);
  if (!entry) return 0;
  const { subnet, ipv4 } = parseValue(key, entry.value, overlayShape);
  const lease = await etcd.get(keys.subnet(subnet.replace(/\/24$/, '')));
  // Another node may hold it by now, when somebody worked on flannel's keys by hand.
  if (!lease || parseValue(lease.key, lease.value, subnetShape).PublicIP !== ipv4) return 0;
  return etcd.delete(lease.key);
}
