/** `cluster replace-node`: a node that is lost makes room for a new one of the same name. Safe to run again at any point. */
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { nodesNamed } from './cluster-steps.js';
import { planReplace } from './plan.js';
import { ReplaceNote } from './replace-note.js';
import { openSession } from './session.js';
import { execute, type RunOptions } from './up.js';

/**
 * Throws `node.alive` for a node whose agent is connected, `etcd.quorum` where etcd cannot spare its member; then nothing was done. `force`
 * replaces a node that lives, and even then etcd keeps its quorum.
 */
export async function replaceNode(
  project: Project,
  name: string,
  options: RunOptions & { force: boolean },
): Promise<void> {
  const [node] = nodesNamed(project, [name]);
  if (!node) throw new Problem('node.unknown', `There is no node "${name}" in cluster.yaml`, { node: name });
  const onProgress = (on: string, message: string) =>
    options.listener({ type: 'step-progress', node: on, message });
  const note = new ReplaceNote(project.dir, name);
  const session = await openSession(project, { onProgress });
  try {
    const observed = await session.convergence.observe();
    // Without the others there is nobody to tell, and no cluster that a new node could join.
    await session.convergence.status();
    // By force it begins anew, whatever a former run came to.
    const fresh = note.gone && !options.force;
    if (!fresh && observed.connected.has(name) && !options.force)
      throw new Problem('node.alive', `${name} lives: its agent is connected`, { node: name });
    const plan = planReplace(project.config.nodes, observed, node, { force: options.force, fresh });
    await execute(plan, session, {
      ...options,
      listener: (event) => {
        if (event.type === 'phase-ended' && event.phase === 'leave') note.write();
        options.listener(event);
      },
    });
    note.remove();
  } finally {
    session.convergence.close();
  }
}
