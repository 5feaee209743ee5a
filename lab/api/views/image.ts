/** Images: those of the catalogue and the snapshots of a project, under one shape. */
import { type CatalogueImage, catalogueImages } from '../catalogue/images.js';
import type { LabState, Snapshot } from '../state.js';

/** What a server can be made from. */
export interface ImageSource {
  id: number;
  name: string | null;
  architecture: 'x86' | 'arm';
  diskSize: number;
  available: boolean;
  osFlavor: string;
  osVersion: string | null;
  /** Root file system in the driver. */
  rootfs: string;
}

/** Name in the driver of the root file system that a snapshot holds. */
export function snapshotRootfs(id: number): string {
  return `snap${id}`;
}

export function imageSources(state: LabState, project: string): readonly ImageSource[] {
  return [
    ...catalogueImages.map((image) => ({ ...image, available: true })),
    ...state.snapshots
      .filter((snapshot) => snapshot.project === project)
      .map((snapshot) => ({
        ...snapshot,
        name: null,
        available: snapshot.status === 'available',
        rootfs: snapshotRootfs(snapshot.id),
      })),
  ];
}

export function imageView(state: LabState, project: string, id: number): ImageView | null {
  return imageViews(state, project).find((image) => image.id === id) ?? null;
}

export type ImageView = ReturnType<typeof snapshotView> | ReturnType<typeof catalogueView>;

/** Every image a project sees; the ones of the catalogue first. */
export function imageViews(state: LabState, project: string): readonly ImageView[] {
  return [
    ...catalogueImages.map(catalogueView),
    ...state.snapshots.filter((snapshot) => snapshot.project === project).map(snapshotView),
  ];
}

function catalogueView(image: CatalogueImage) {
  const snapshot = image.type === 'snapshot';
  return {
    id: image.id,
    type: image.type,
    status: 'available' as const,
    name: image.name,
    description: image.description,
    image_size: snapshot ? 1.5 : null,
    disk_size: image.diskSize,
    created: image.created,
    created_from: snapshot ? { id: 1, name: 'lab' } : null,
    bound_to: null,
    os_flavor: image.osFlavor,
    os_version: image.osVersion,
    architecture: image.architecture,
    rapid_deploy: !snapshot,
    protection: { delete: snapshot },
    deprecated: null,
    deleted: null,
    labels: image.labels,
  };
}

function snapshotView(snapshot: Snapshot) {
  return {
    id: snapshot.id,
    type: 'snapshot' as const,
    status: snapshot.status,
    name: null,
    description: snapshot.description,
    image_size: snapshot.status === 'available' ? 1.5 : null,
    disk_size: snapshot.diskSize,
    created: snapshot.created,
    created_from: snapshot.createdFrom,
    bound_to: null,
    os_flavor: snapshot.osFlavor,
    os_version: snapshot.osVersion,
    architecture: snapshot.architecture,
    rapid_deploy: false,
    protection: { delete: snapshot.protected },
    deprecated: null,
    deleted: null,
    labels: snapshot.labels,
  };
}
