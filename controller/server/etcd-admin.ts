/** What operators ask of etcd itself: a snapshot, a member less, a member more. */
import { isIPv4 } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { SnapshotEtcdRequest, SnapshotEtcdResponse } from '../../proto/gen/nixinfra/v1/operator.js';
import { Problem } from '../../shared/errors.js';
import { type EtcdAdmin, type Member, openEtcdAdmin } from '../../shared/etcd/admin.js';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import type { EtcdConfig, EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults } from '../defaults.js';
import { keys } from '../store/keys.js';
import { nodeShape, readValue } from '../store/shapes.js';
import { askMember } from './members.js';
import { initialCluster, type MemberHealth, memberOf, peerUrlOf, removalRefusal } from './membership.js';

/** Connections are made for one call each: it is a matter of once a month. */
export class EtcdAdminService {
  constructor(
    private readonly etcd: Pick<EtcdStore, 'get'>,
    private readonly config: EtcdConfig,
    /** Where a node's member listens to its peers. */
    private readonly peerUrl: (ipv4: string) => string = peerUrlOf,
  ) {}

  /** Chunks of a snapshot; the last 32 bytes are the SHA-256 of the others. */
  async *snapshot(): AsyncIterable<Buffer> {
    const admin = openEtcdAdmin(this.config);
    try {
      yield* admin.snapshot();
    } finally {
      admin.close();
    }
  }

  /** Throws `etcd.quorum`, `node.alive`. No error when there is no such member. */
  async remove(node: string, force: boolean): Promise<void> {
    const registered = await this.registeredAddress(node);
    await this.withAdmin(async (admin) => {
      const members = await Promise.all((await admin.members()).map((member) => this.withHealth(member)));
      const member = memberOf(members, node, registered && this.peerUrl(registered));
      if (!member) return;
      const refusal = removalRefusal(member, members, force);
      if (refusal) throw refusal;
      await admin.memberRemove(member.id);
    });
  }

  /** What the new member's --initial-cluster is. Throws `etcd.member-lost` when a member of that name has run already. */
  async add(node: string, ipv4: string): Promise<string> {
    if (!isIPv4(ipv4)) throw new Problem('usage', `"${ipv4.slice(0, 40)}" is not an IPv4 address`, { node });
    const url = this.peerUrl(ipv4);
    return this.withAdmin(async (admin) => {
      const members = await admin.members();
      const former = members.find(({ name, peerUrls }) => name === node || peerUrls.includes(url));
      if (!former) return initialCluster(await admin.memberAdd(url), node, url);
      if (former.clientUrls.length === 0 && former.peerUrls.includes(url))
        return initialCluster(members, node, url);
      throw new Problem(
        'etcd.member-lost',
        `${node} was a member of etcd, and its data is not there any more`,
        {
          node,
          where: former.peerUrls.join(', '),
        },
      );
    });
  }

  /** `work` looks at the members itself each time: the answer to a change may have been lost, and then it is done. */
  private async withAdmin<T>(work: (admin: EtcdAdmin) => Promise<T>): Promise<T> {
    const admin = openEtcdAdmin(this.config);
    try {
      return await insist(() => work(admin));
    } finally {
      admin.close();
    }
  }

  private async registeredAddress(node: string): Promise<string | undefined> {
    const entry = await this.etcd.get(keys.clusterNode(node));
    return entry && readValue(entry.value, nodeShape)?.ipv4;
  }

  /** Asked at the address that the member itself tells: what this controller was configured with may be of the time before. */
  private async withHealth(member: Member): Promise<MemberHealth> {
    if (member.clientUrls.length === 0) return { ...member, healthy: false };
    const store = openEtcd({ ...this.config, endpoints: member.clientUrls });
    try {
      return { ...member, healthy: (await askMember(member.name, store)).healthy };
    } finally {
      store.close();
    }
  }
}

/** A change goes to one member, which may be the dead one: a few more times, at others. Only what may pass is tried again. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = controllerDefaults.memberAttempts; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 1 || Problem.from(error).code !== 'etcd.unavailable') throw error;
      await pause(controllerDefaults.writeRetryMs);
    }
  }
}

/** Streams a snapshot as fast as the caller takes it. The last message is empty: without it the snapshot is not whole. */
export async function sendSnapshot(
  call: ServerWritableStream<SnapshotEtcdRequest, SnapshotEtcdResponse>,
  admin: Pick<EtcdAdminService, 'snapshot'>,
): Promise<void> {
  for await (const chunk of admin.snapshot()) {
    if (!call.cancelled && !call.write({ chunk, last: false })) {
      await new Promise<void>((resolve) => {
        call.once('drain', resolve);
        call.once('cancelled', resolve);
      });
    }
    if (call.cancelled) return;
  }
  call.write({ chunk: Buffer.alloc(0), last: true });
  call.end();
}
