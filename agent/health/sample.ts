/** What a node reports about itself, read from /proc: no helper process for numbers that change every second. */
import { readFile, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { Health } from '../../proto/gen/nixinfra/v1/agent.js';

/** `MemTotal` and `MemAvailable` in bytes. */
export function parseMeminfo(text: string): { total: number; available: number } {
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { total: kib('MemTotal') * 1024, available: kib('MemAvailable') * 1024 };
}

/** The address flannel gave this node: its interface is named after the backend (`flannel-wg`, `flannel.1`). */
export function overlayIp(interfaces: ReturnType<typeof networkInterfaces>): string {
  const flannel = Object.entries(interfaces).find(([name]) => name.startsWith('flannel'));
  return flannel?.[1]?.find((address) => address.family === 'IPv4')?.address ?? '';
}

const read = (path: string) => readFile(path, 'utf8').catch(() => '');

export type NodeSample = Omit<Health, 'failedUnits' | 'instances' | 'timeMs' | 'revision' | 'system'>;

export async function sampleNode(): Promise<NodeSample> {
  const [load, meminfo, version] = await Promise.all([
    read('/proc/loadavg'),
    read('/proc/meminfo'),
    read('/run/current-system/nixos-version'),
  ]);
  const memory = parseMeminfo(meminfo);
  const disk = await statfs('/').catch(() => undefined);
  return {
    load1: Number(load.split(' ')[0] ?? 0) || 0,
    memoryTotalBytes: memory.total,
    memoryAvailableBytes: memory.available,
    diskTotalBytes: disk ? disk.blocks * disk.bsize : 0,
    diskAvailableBytes: disk ? disk.bavail * disk.bsize : 0,
    overlayIp: overlayIp(networkInterfaces()),
    nixosVersion: version.trim(),
  };
}
