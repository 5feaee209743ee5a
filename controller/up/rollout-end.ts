/** How a rollout ended, as the problem that ends the command. Pure. */
import { type ErrorCode, errorCatalogue } from '../../shared/error-catalogue.js';
import { Problem } from '../../shared/errors.js';
import type { NodeState, Rollout } from '../rollout/rollout.js';

/** The problem of a rollout that ended; undefined when all went well. Its code is that of the cause, as is the exit code. */
export function problemOf(rollout: Rollout): Problem | undefined {
  const { state, id, cause, nodes } = rollout;
  if (state === 'succeeded') {
    const waiting = nodes.filter(({ outcome }) => outcome === 'needs-reboot').map(({ name }) => name);
    if (waiting.length === 0) return undefined;
    return new Problem('apply.needs-reboot', `Applied; a reboot is needed on ${waiting.join(', ')}`, {
      reason: 'kernel, initrd or kernel command line take effect with the next boot',
    });
  }
  const known = cause && Object.hasOwn(errorCatalogue, cause.code);
  // A node that is away and was ordered to go back is the cause itself, and not one that could not be brought back.
  const stuck = state === 'undo-failed' && nodes.some(isStuck);
  const code: ErrorCode = stuck ? 'rollout.undo-failed' : known ? (cause.code as ErrorCode) : 'internal';
  const node = stuck ? nodes.find(isStuck)?.name : cause?.node;
  const advice = errorCatalogue[code].next.replaceAll(' ID`', ` ${id}\``);
  return new Problem(code, `${headOf(rollout, code)}; ${whatBecame(rollout)}`, {
    ...(node ? { node } : {}),
    ...(cause ? { reason: cause.message } : {}),
    log: cause?.log ?? [],
    where: `rollout ${id}`,
    next: advice,
  });
}

function isStuck({ state, outcome }: Rollout['nodes'][number]): boolean {
  return state === 'undo-failed' && outcome !== 'unreachable';
}

function headOf({ cause }: Rollout, code: ErrorCode): string {
  const node = cause?.node || 'A node';
  switch (code) {
    case 'apply.rejected':
      return `${node} rejected the configuration`;
    case 'apply.rolled-back':
      return `${node} did not prove itself and went back`;
    case 'apply.unhealthy':
      return `${node} applied the configuration, but is not well`;
    case 'apply.unreachable':
      return `${node} was lost in the middle`;
    default:
      return errorCatalogue[code].title;
  }
}

/** What became of the nodes, failed ones left out: those are named already. */
function whatBecame(rollout: Rollout): string {
  const failed = rollout.cause?.node;
  const others = (state: NodeState) => namesIn(rollout, state).filter((name) => name !== failed);
  const back = others('undone');
  const kept = namesIn(rollout, 'moved');
  const stuck = namesIn(rollout, 'undo-failed');
  const skipped = others('skipped');
  const parts = [
    back.length > 0 ? `brought back: ${back.join(', ')}` : '',
    stuck.length > 0 ? `NOT brought back: ${stuck.join(', ')}` : '',
    kept.length > 0 ? `moved and kept: ${kept.join(', ')}` : '',
    skipped.length > 0 ? `not touched: ${skipped.join(', ')}` : '',
  ].filter(Boolean);
  return parts.length === 0 ? 'no other node was moved' : parts.join('; ');
}

function namesIn({ nodes }: Rollout, state: NodeState): string[] {
  return nodes.filter((node) => node.state === state).map(({ name }) => name);
}
