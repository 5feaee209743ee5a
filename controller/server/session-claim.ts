/** The value of a node's session key: which controller holds its stream, and which of two sessions is the newer. */
export interface SessionClaim {
  controller: string;
  sinceMs: number;
}

export function renderClaim({ controller, sinceMs }: SessionClaim): string {
  return JSON.stringify({ controller, sinceMs });
}

/** When the session of a session key's value began; 0 when it cannot be read. */
function sinceOf(value: string): number {
  try {
    const { sinceMs } = JSON.parse(value) as { sinceMs?: unknown };
    return typeof sinceMs === 'number' ? sinceMs : 0;
  } catch {
    return 0;
  }
}

/** True when another controller's session of the node began after ours. */
export function isNewer(otherValue: string, sinceMs: number): boolean {
  return sinceOf(otherValue) > sinceMs;
}

/** When a session begins: after the one it follows, also when the clock of that one's controller is ahead. */
export function beginOf(former: string | undefined, nowMs: number): number {
  return Math.max(nowMs, former === undefined ? 0 : sinceOf(former) + 1);
}
