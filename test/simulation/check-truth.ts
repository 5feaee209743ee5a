/** What a rollout says at its end is true on the nodes: moved runs the target, undone runs what ran before, skipped was not touched. */
import { isTerminal, type Rollout } from '../../controller/rollout/rollout.js';
import { type Checker, Violation } from './history.js';

export function truthChecker(): Checker {
  const runs = new Map<string, string>();
  /** What ran when the first order of a rollout was taken, by `rollout/node`. */
  const ran = new Map<string, string>();
  /** Nodes that came up on another system by themselves, by `rollout/node`: a reboot of a node that was not well. */
  const rebooted = new Set<string>();
  const live = new Set<string>();
  const fail = (message: string): never => {
    throw new Violation('truth', message);
  };
  const checkNode = (rollout: Rollout, node: Rollout['nodes'][number]) => {
    const key = `${rollout.id}/${node.name}`;
    if (rebooted.has(key)) return;
    const now = runs.get(node.name) ?? 'v0';
    const before = ran.get(key);
    const { state, name, to, from } = node;
    if (state === 'moved' && now !== to.revision)
      fail(`${rollout.id} ${rollout.state}: ${name} runs ${now}, not its target ${to.revision}`);
    if (state === 'skipped' && before !== undefined)
      fail(`${rollout.id} skipped ${name}, and it was touched`);
    if (state !== 'undone') return;
    // Where the cluster did not know the revision, its system still says what it was; here both have one name.
    const was = from.revision || from.system;
    if (now !== was) fail(`${rollout.id} undone: ${name} runs ${now}, not ${was}`);
    if (before !== undefined && before !== was)
      fail(`${rollout.id} undone: ${name} ran ${before} before, the plan said ${was}`);
  };
  const checkEnd = (rollout: Rollout) => {
    const allowed: Record<string, string[]> = {
      succeeded: ['moved'],
      undone: ['undone', 'skipped'],
      failed: ['moved', 'undone', 'skipped'],
      aborted: ['moved', 'undone', 'skipped'],
      'undo-failed': ['moved', 'undone', 'skipped', 'undo-failed'],
    };
    for (const node of rollout.nodes) {
      if (!allowed[rollout.state]?.includes(node.state))
        fail(`${rollout.id} is ${rollout.state} and ${node.name} ${node.state}`);
      checkNode(rollout, node);
    }
  };
  return {
    name: 'truth',
    see(happening) {
      switch (happening.what) {
        case 'taken': {
          const key = happening.order.split('/').slice(0, 2).join('/');
          if (!ran.has(key)) ran.set(key, runs.get(happening.node) ?? 'v0');
          return;
        }
        case 'runs':
          runs.set(happening.node, happening.revision);
          if (happening.why === 'boot') for (const id of live) rebooted.add(`${id}/${happening.node}`);
          return;
        case 'commit':
          for (const { id, before, after } of happening.journals) {
            if (!after || after.state === 'planned') continue;
            live.add(id);
            if (!isTerminal(after.state)) continue;
            live.delete(id);
            if (before?.state !== after.state) checkEnd(after);
          }
      }
    },
  };
}
