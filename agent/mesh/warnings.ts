/** Pure: warnings as they are told. */
import type { MeshWarning } from '../../proto/gen/nixinfra/v1/agent.js';
import { agentDefaults as defaults } from '../defaults.js';

/** The first warnings, and how many more there are: whoever writes keys must not decide how long a message gets. */
export function capped(warnings: readonly MeshWarning[]): MeshWarning[] {
  const more = warnings.length - defaults.meshWarnings;
  if (more <= 0) return [...warnings];
  const told = warnings.slice(0, defaults.meshWarnings);
  return [...told, { code: 'mesh.invalid', subject: '/cluster/', message: `and ${more} more` }];
}
