/** Placeholder until the real one is merged: tells that there is no haproxy to ask. */
import type { Logger } from 'pino';
import type { Mesh } from '../../proto/gen/nixinfra/v1/agent.js';
import type { Clock } from '../clock.js';

export interface MeshWatcherParts {
  socketPath: string;
  clock: Clock;
  log: Logger;
  onChange(mesh: Mesh): void;
}

export class MeshWatcher {
  constructor(private readonly parts: MeshWatcherParts) {}

  start(): void {
    this.parts.log.debug({ socket: this.parts.socketPath }, 'the mesh is not watched');
  }

  stop(): void {}

  current(): Mesh | undefined {
    return undefined;
  }
}
