/** The instance keys of one node under its lease: the model of the agent's registrations. */
import { keys } from '../../controller/store/keys.js';
import { etcdDefaults } from '../../shared/etcd/defaults.js';
import type { EtcdLease } from '../../shared/etcd/store.js';
import type { EtcdClient } from './etcd-client.js';
import type { SimProcess } from './process.js';

export class Instances {
  #wanted = new Set<string>();
  /** What etcd was last seen to hold, of ours. */
  #known = new Map<string, boolean>();
  #running = false;
  #lease: EtcdLease | undefined;
  #waiters: (() => void)[] = [];

  constructor(
    private readonly node: string,
    private readonly process: SimProcess,
    private readonly etcd: EtcdClient,
  ) {}

  want(apps: readonly string[]): void {
    this.#wanted = new Set(apps);
    for (const app of apps) if (!this.#known.has(app)) this.#known.set(app, false);
    if (!this.#running) void this.#run();
  }

  /** True when etcd holds what it shall, false when that took too long. */
  settled(limitMs: number): Promise<boolean> {
    if (this.#dirty().length === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#waiters.push(() => resolve(true));
      this.process.after(limitMs, () => resolve(false));
    });
  }

  #dirty(): string[] {
    return [...this.#known].filter(([app, there]) => there !== this.#wanted.has(app)).map(([app]) => app);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      const [app] = this.#dirty();
      if (app === undefined) break;
      try {
        await this.#repair(app);
      } catch {
        await this.process.clock.sleep(etcdDefaults.backoffMinMs);
      }
    }
    this.#running = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const tell of waiters) tell();
  }

  async #repair(app: string): Promise<void> {
    const [group = '', name = ''] = app.split('/');
    const key = `${keys.group(group)}${name}/instances/${this.node}`;
    const wanted = this.#wanted.has(app);
    if (wanted) {
      const lease = await this.#leased();
      const value = JSON.stringify({ node: this.node, ipv4: '10.10.1.0', port: 8080 });
      await this.etcd.put(key, value, lease.id);
      if (this.#lease === lease) this.#known.set(app, true);
    } else {
      await this.etcd.delete(key);
      this.#known.set(app, false);
    }
  }

  async #leased(): Promise<EtcdLease> {
    if (this.#lease) return this.#lease;
    const lease = await this.etcd.grant(etcdDefaults.leaseTtlS);
    this.#lease = lease;
    void lease.lost.then(() => {
      this.#lease = undefined;
      for (const [app, there] of this.#known) if (there) this.#known.set(app, false);
      if (!this.#running) void this.#run();
    });
    return lease;
  }
}
