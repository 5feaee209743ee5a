/** Everything the machines start from, in one call. */
import { join } from 'node:path';
import { ensureBaseImage } from './base.js';
import type { Report } from './cache.js';
import { ensureGoTools } from './go-tools.js';
import { ensureNode24 } from './node24.js';
import { assembleToolsLayer } from './tools-layer.js';

/** Layers of each image by its name, topmost first, as overlayfs takes them. */
export type Images = Readonly<Record<string, readonly string[]>>;

/**
 * The images that a lab offers: `nixos`, and `debian` for everything that is not NixOS. Builds what is missing.
 */
export async function ensureImages(report: Report): Promise<Images> {
  const base = await ensureBaseImage(report);
  const node = join(await ensureNode24(report), 'node');
  const binaries = { ...(await ensureGoTools(report)), node };
  const tools = await assembleToolsLayer(report, { binaries });
  return { nixos: [tools, base], debian: [base] };
}
