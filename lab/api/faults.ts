/** Finds the fault that applies now and counts it down; a fault that has happened often enough is gone. */
import { type Fault, type LabState, patched, type RequestFault, removed, type ServerFault } from './state.js';

export interface Struck<T> {
  fault: T | undefined;
  state: LabState;
}

export function requestFault(
  state: LabState,
  project: string,
  method: string,
  path: string,
): Struck<RequestFault> {
  const fault = state.faults.find(
    (candidate): candidate is RequestFault =>
      candidate.kind === 'request' &&
      candidate.project === project &&
      (candidate.method === '*' || candidate.method === method) &&
      matchesPattern(candidate.path, path),
  );
  return { fault, state: countedDown(state, fault) };
}

export function serverFault(
  state: LabState,
  server: { name: string; project: string },
  kind: ServerFault['kind'],
  command?: string,
): Struck<ServerFault> {
  const fault = state.faults.find(
    (candidate): candidate is ServerFault =>
      candidate.kind !== 'request' &&
      candidate.kind === kind &&
      candidate.project === server.project &&
      (kind !== 'fail-action' || candidate.command === command) &&
      matchesPattern(candidate.server, server.name),
  );
  return { fault, state: countedDown(state, fault) };
}

/** `*` matches any text, everything else itself. */
export function matchesPattern(pattern: string, text: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`).test(text);
}

function countedDown(state: LabState, fault: Fault | undefined): LabState {
  if (!fault) return state;
  return fault.count > 1
    ? patched(state, 'faults', fault.id, { count: fault.count - 1 })
    : removed(state, 'faults', fault.id);
}
