/**
 * Images that come with the lab. The NixOS one is a snapshot without a name, found by its labels, because that is
 * how it is on the real cloud: an operator's own snapshot (docs/how-to/hetzner.md).
 */
export interface CatalogueImage {
  id: number;
  type: 'system' | 'snapshot';
  name: string | null;
  description: string;
  osFlavor: string;
  osVersion: string | null;
  architecture: 'x86' | 'arm';
  diskSize: number;
  created: string;
  labels: Readonly<Record<string, string>>;
  /** Root file system in the driver. */
  rootfs: string;
}

/** Root file system of the lab's NixOS look-alike, as the machine driver names it. */
export const nixosRootfs = 'nixos';
/** Root file system of plain Debian, as the machine driver names it. Stock images of other makers map to it too. */
export const debianRootfs = 'debian';

const system = {
  type: 'system',
  architecture: 'x86',
  diskSize: 5,
  created: '2025-08-13T06:00:00+00:00',
  labels: {},
  rootfs: debianRootfs,
} as const;

export const catalogueImages: readonly CatalogueImage[] = [
  {
    ...system,
    id: 310,
    name: 'debian-13',
    description: 'Debian 13',
    osFlavor: 'debian',
    osVersion: '13',
  },
  {
    ...system,
    id: 311,
    name: 'ubuntu-24.04',
    description: 'Ubuntu 24.04 (the lab boots Debian for it)',
    osFlavor: 'ubuntu',
    osVersion: '24.04',
  },
  {
    id: 320,
    type: 'snapshot',
    name: null,
    description: 'NixOS base of the lab',
    osFlavor: 'unknown',
    osVersion: null,
    architecture: 'x86',
    diskSize: 40,
    created: '2026-11-01T06:00:00+00:00',
    labels: { os: 'nixos', role: 'base', arch: 'x86' },
    rootfs: nixosRootfs,
  },
];
