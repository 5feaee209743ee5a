/** Which image a server starts from. */
import { Problem } from '../../../shared/errors.js';
import type { HetznerClient } from './client.js';
import { image, serverType } from './wire.js';

const selectorPrefix = 'label:';

/** The image as the API takes it: a name or id as it stands, or the id of the newest snapshot that a selector finds. */
export async function imageFor(
  client: HetznerClient,
  wanted: string,
  type: string,
): Promise<string | number> {
  if (!wanted.startsWith(selectorPrefix)) return wanted;
  const selector = wanted.slice(selectorPrefix.length);
  const [known] = await client.list('/server_types', 'server_types', serverType, { name: type });
  if (!known) {
    throw new Problem('provider.rejected', `The cloud has no server type ${type}`, {
      next: 'choose a type in cluster.yaml that `hcloud server-type list` shows',
    });
  }
  const found = await client.list('/images', 'images', image, {
    type: 'snapshot',
    status: 'available',
    architecture: known.architecture,
    label_selector: selector,
    sort: 'created:desc',
  });
  const [newest] = found.sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
  if (newest) return newest.id;
  throw new Problem(
    'provider.rejected',
    `No snapshot for ${known.architecture} has the labels "${selector}"`,
    {
      where: 'image',
      next: 'make a NixOS snapshot and label it (docs/how-to/hetzner.md), or change `image` in cluster.yaml',
    },
  );
}
