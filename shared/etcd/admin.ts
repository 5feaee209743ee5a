/** A small port to etcd itself: who its members are, and what it holds as a whole. Needs the rights of etcd's root. */
import { Etcd3, type IMember } from 'etcd3';
import { Problem } from '../errors.js';
import { etcdDefaults } from './defaults.js';
import { clientOptions } from './etcd3-store.js';
import type { EtcdConfig } from './store.js';

export interface Member {
  id: string;
  /** Empty for a member that was announced and has never run. */
  name: string;
  peerUrls: string[];
  /** Empty for a member that has never run. */
  clientUrls: string[];
}

export interface EtcdAdmin {
  members(): Promise<Member[]>;
  /**
   * Announces a member; every member with it, the new one without a name. Throws `etcd.unavailable` when etcd finds that it cannot bear a
   * change now, which may pass. Never repeated by itself: when it throws, the members have to be read to know.
   */
  memberAdd(peerUrl: string): Promise<Member[]>;
  memberRemove(id: string): Promise<void>;
  /** The database of the member that answers, and the SHA-256 over it as the last 32 bytes, as `etcdctl snapshot save` writes it. */
  snapshot(): AsyncIterable<Buffer>;
  close(): void;
}

function toMember({ ID, name, peerURLs, clientURLs }: IMember): Member {
  return { id: ID, name, peerUrls: peerURLs, clientUrls: clientURLs };
}

async function told<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw Problem.from(error, 'etcd.unavailable');
  }
}

export function openEtcdAdmin(config: EtcdConfig): EtcdAdmin {
  const client = new Etcd3(clientOptions(config, etcdDefaults.retries));
  const once = new Etcd3(clientOptions(config, 0));

  /** A stream is not tried again by the client: one member after the other, until one sends something. */
  async function* snapshot(): AsyncIterable<Buffer> {
    let failure: unknown;
    for (const endpoint of config.endpoints) {
      const member = new Etcd3(clientOptions({ ...config, endpoints: [endpoint] }, 0));
      let begun = false;
      try {
        // The declared type of the stream hides that it is a readable one.
        const stream = (await member.maintenance.snapshot()) as unknown as AsyncIterable<{ blob: Buffer }>;
        for await (const { blob } of stream) {
          begun = true;
          yield blob;
        }
        return;
      } catch (error) {
        failure = error;
        if (begun) break;
      } finally {
        member.close();
      }
    }
    throw Problem.from(failure, 'etcd.unavailable');
  }

  return {
    members: async () => (await told(client.cluster.memberList({}))).members.map(toMember),
    memberAdd: async (peerUrl) =>
      (await told(once.cluster.memberAdd({ peerURLs: [peerUrl] }))).members.map(toMember),
    memberRemove: async (id) => {
      await told(once.cluster.memberRemove({ ID: id }));
    },
    snapshot,
    close: () => {
      client.close();
      once.close();
    },
  };
}
