/** Whoever can lead does so soon: no long time without a leader while a controller is well and reaches etcd. */
import { rolloutDefaults } from '../../controller/rollout/defaults.js';
import { keys } from '../../controller/store/keys.js';
import { etcdDefaults } from '../../shared/etcd/defaults.js';
import type { Controller } from './controller.js';
import type { SimEtcd } from './etcd.js';
import type { Network } from './network.js';

export class Succession {
  static readonly everyMs = 500;
  #vacantSince: number | undefined = 0;
  readonly #wellSince = new Map<string, number>();
  #quietSince = 0;

  constructor(
    private readonly parts: { etcd: SimEtcd; network: Network; controllers: readonly Controller[] },
  ) {}

  /** What is wrong, if something is. */
  look(nowMs: number): string | undefined {
    const { etcd, network, controllers } = this.parts;
    // The lease of a leader that died takes 5 to 6 s more, so that all of it is less than 10 s.
    const limitMs = rolloutDefaults.tickMs + rolloutDefaults.retryMs + 2_000;
    this.#vacantSince = etcd.get(keys.leader) ? undefined : (this.#vacantSince ?? nowMs);
    // Lost calls each cost the time of one.
    if (network.lossy > 0 || network.slow > 0) this.#quietSince = nowMs + 2 * etcdDefaults.callMs;
    for (const controller of controllers) {
      const { name, running } = controller;
      const well = running?.process.state === 'running' && etcd.quorum && !network.isCut(name, 'etcd');
      // What it asked before may still have to fail.
      if (!well || !this.#wellSince.has(name)) this.#wellSince.set(name, nowMs + etcdDefaults.callMs);
      const since = Math.max(
        this.#wellSince.get(name) ?? nowMs,
        this.#vacantSince ?? nowMs,
        this.#quietSince,
      );
      if (nowMs - since > limitMs)
        return `nobody led from ${Math.round(this.#vacantSince ?? 0)} on although ${name} was well since ${Math.round(since)}`;
    }
    return undefined;
  }
}
