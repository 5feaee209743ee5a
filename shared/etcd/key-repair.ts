/** What makes a leased key right, and its twin that outlives the lease. Pure. */
import type { Entry, Write } from './store.js';

export type Repair =
  | { do: 'put'; key: string; value: string }
  | { do: 'delete'; key: string; modRevision: number }
  | { do: 'yield'; key: string };

export interface Rules {
  /** True when the other's value shall win: the key is then given up instead of overwritten. */
  yieldsTo?(key: string, otherValue: string): boolean;
  /** Whether a key that shall not exist is deleted although it hangs on another lease (a former run of ours). */
  deletesForeign: boolean;
}

/** What makes one key right; undefined when it is. `wanted` undefined means the key shall not exist. */
export function repairOf(
  key: string,
  wanted: string | undefined,
  found: Entry | undefined,
  lease: string,
  rules: Rules,
): Repair | undefined {
  const ours = found?.lease === lease;
  if (wanted === undefined) {
    return found && (ours || rules.deletesForeign)
      ? { do: 'delete', key, modRevision: found.modRevision }
      : undefined;
  }
  const value = found?.value.toString();
  if (found && !ours && value !== undefined && value !== wanted && rules.yieldsTo?.(key, value))
    return { do: 'yield', key };
  return ours && value === wanted ? undefined : { do: 'put', key, value: wanted };
}

/** What makes the twin right: the same value without a lease, or nothing at all. Undefined when it is. */
export function twinWrite(
  twin: string,
  wanted: string | undefined,
  found: Entry | undefined,
): Write | undefined {
  if (wanted === undefined) return found && { do: 'delete', key: twin };
  // Under a lease it would go with the instance that it has to outlive.
  const right = found?.value.toString() === wanted && found.lease === '0';
  return right ? undefined : { do: 'put', key: twin, value: wanted };
}
