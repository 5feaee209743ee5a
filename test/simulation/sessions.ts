/** The sessions of agents at one controller: the model of controller/server/node-session.ts, as far as rollouts see it. */
import type { Outcome } from '../../controller/rollout/rollout.js';
import { keys } from '../../controller/store/keys.js';
import {
  desiredShape,
  type NodeStatus,
  parseStatus,
  parseValue,
  renderStatus,
} from '../../controller/store/shapes.js';
import { Outcome as WireOutcome } from '../../proto/gen/nixinfra/v1/agent.js';
import { etcdDefaults } from '../../shared/etcd/defaults.js';
import type { Entry, EtcdLease, Watch } from '../../shared/etcd/store.js';
import type { EtcdClient } from './etcd-client.js';
import type { AgentResult, Link, ToController } from './link.js';
import type { SimProcess } from './process.js';

/** As the controller asks agents for (controller/defaults.ts healthIntervalMs): each report writes the whole status again. */
const HEALTH_MS = 5_000;
const WRITE_RETRY_MS = 500;

const wire: Partial<Record<Outcome, WireOutcome>> = {
  unchanged: WireOutcome.OUTCOME_UNCHANGED,
  applied: WireOutcome.OUTCOME_APPLIED,
  'needs-reboot': WireOutcome.OUTCOME_NEEDS_REBOOT,
  rejected: WireOutcome.OUTCOME_REJECTED,
  'rolled-back': WireOutcome.OUTCOME_ROLLED_BACK,
  unhealthy: WireOutcome.OUTCOME_UNHEALTHY,
};

interface Session {
  node: string;
  sinceMs: number;
  link: Link;
  status: NodeStatus;
  open: boolean;
  watch: Watch | undefined;
  /** Last change of the session key while it is this session's: what it writes is conditional on that. */
  fence: number | undefined;
  writing: boolean;
  dirty: boolean;
}

export class Sessions {
  readonly #held = new Map<string, Session>();
  #lease: Promise<EtcdLease> | undefined;

  constructor(
    private readonly controller: string,
    private readonly process: SimProcess,
    private readonly etcd: EtcdClient,
  ) {}

  /** A second session of a node ends the first. */
  open(node: string, link: Link): (message: ToController) => void {
    const former = this.#held.get(node);
    if (former) {
      this.#end(former);
      former.link.close('controller');
    }
    const session: Session = {
      node,
      sinceMs: this.process.clock.now(),
      link,
      status: { seenMs: 0 },
      open: true,
      watch: undefined,
      fence: undefined,
      writing: false,
      dirty: false,
    };
    this.#held.set(node, session);
    let opened: Promise<void> | undefined;
    return (message) => {
      if (message.say === 'hello') opened = this.#start(session, message.revision);
      else void opened?.then(() => this.#take(session, message));
    };
  }

  close(node: string, link: Link): void {
    const session = this.#held.get(node);
    if (session?.link === link) this.#end(session);
  }

  #end(session: Session): void {
    session.open = false;
    session.watch?.close();
    if (this.#held.get(session.node) === session) this.#held.delete(session.node);
    void this.#giveBack(session);
  }

  async #start(session: Session, revision: string): Promise<void> {
    const { node } = session;
    void this.#holdKey(session);
    const entry = await this.#again(session, () => this.etcd.get(keys.status(node)));
    if (entry) session.status = parseStatus(entry.key, entry.value);
    this.#says(session, revision);
    session.watch = this.etcd.watchPrefix(keys.node(node), ({ key, entry: desired }) => {
      if (key === keys.session(node)) this.#claimedBy(session, desired);
      if (!desired || key !== keys.desired(node)) return;
      const { options, ...order } = parseValue(key, desired.value, desiredShape);
      const { confirmMs, force } = options;
      session.link.toAgent({ say: 'desired', ...order, change: desired.modRevision, confirmMs, force });
    });
    const health = () => {
      if (!session.open) return;
      session.dirty = true;
      void this.#write(session);
      this.process.after(HEALTH_MS, health);
    };
    health();
  }

  #take(session: Session, message: ToController): void {
    if (!session.open) return;
    if (message.say === 'proven') void this.#confirm(session, message.order);
    if (message.say !== 'result') return;
    const { outcome, ...rest } = message.result as AgentResult & { outcome: Outcome };
    const result = { ...rest, outcome: wire[outcome] ?? 0, log: [], system: message.revision, durationMs: 0 };
    session.status = { ...session.status, result };
    this.#says(session, message.revision);
    session.dirty = true;
    void this.#write(session);
  }

  /** Only while the order is the one that etcd holds. */
  async #confirm(session: Session, order: string): Promise<void> {
    const entry = await this.#again(session, () => this.etcd.get(keys.desired(session.node)));
    if (entry && parseValue(entry.key, entry.value, desiredShape).order === order)
      session.link.toAgent({ say: 'confirm', order });
  }

  #says(session: Session, revision: string): void {
    const hello = { protocolVersion: 1, agentVersion: '', bootId: '', revision, system: revision };
    session.status = { ...session.status, hello, seenMs: this.process.clock.now() };
  }

  /** As controller/server/fenced-writer.ts, whose pauses are in real time. */
  async #write(session: Session): Promise<void> {
    if (session.writing) return;
    session.writing = true;
    while (session.dirty && session.open && session.fence !== undefined) {
      session.dirty = false;
      const { node, fence } = session;
      const conditions = [{ key: keys.session(node), modRevision: fence }];
      const value = renderStatus(session.status);
      try {
        if (await this.etcd.transact(conditions, [{ do: 'put', key: keys.status(node), value }])) continue;
        session.dirty = true;
        if (session.fence === fence) session.fence = undefined;
      } catch {
        session.dirty = true;
        await this.process.clock.sleep(WRITE_RETRY_MS);
      }
    }
    session.writing = false;
  }

  #claimedBy(session: Session, entry: Entry | undefined): void {
    const mine = entry?.value.toString() === this.#claim(session);
    const fence = mine ? entry?.modRevision : undefined;
    if (session.fence === fence) return;
    session.fence = fence;
    session.dirty = true;
    void this.#write(session);
  }

  #claim({ sinceMs }: Session): string {
    return JSON.stringify({ controller: this.controller, sinceMs });
  }

  /** The session key under our lease, until the session ends or a newer one is elsewhere. */
  async #holdKey(session: Session): Promise<void> {
    const { etcd, process } = this;
    const key = keys.session(session.node);
    const value = this.#claim(session);
    while (session.open) {
      try {
        const lease = await this.#leased();
        const found = await etcd.get(key);
        const other = found && (JSON.parse(found.value.toString()) as { sinceMs: number });
        if (found && found.value.toString() !== value && other && other.sinceMs > session.sinceMs) {
          this.#end(session);
          session.link.close('controller');
          return;
        }
        if (session.open && (found?.lease !== lease.id || found.value.toString() !== value))
          await etcd.put(key, value, lease.id);
        if (session.open) await process.clock.sleep(etcdDefaults.verifyMs);
      } catch {
        this.#lease = undefined;
        await process.clock.sleep(etcdDefaults.backoffMinMs);
      }
    }
  }

  async #giveBack(session: Session): Promise<void> {
    const { node } = session;
    const key = keys.session(node);
    const ours = this.#claim(session);
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        const found = await this.etcd.get(key);
        if (found?.value.toString() !== ours || this.#held.has(node)) return;
        if (await this.etcd.compareAndSet(key, found.modRevision, undefined)) return;
      } catch {
        await this.process.clock.sleep(etcdDefaults.backoffMinMs);
      }
    }
  }

  async #leased(): Promise<EtcdLease> {
    this.#lease ??= this.etcd.grant(etcdDefaults.leaseTtlS).then((lease) => {
      void lease.lost.then(() => {
        this.#lease = undefined;
      });
      return lease;
    });
    return this.#lease;
  }

  async #again<T>(session: Session, call: () => Promise<T>): Promise<T | undefined> {
    while (session.open) {
      try {
        return await call();
      } catch {
        await this.process.clock.sleep(etcdDefaults.backoffMinMs);
      }
    }
    return undefined;
  }
}
