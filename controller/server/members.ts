/** Health of each etcd member, asked one by one: the client for data would answer from any member that lives. */
import type { EtcdMember } from '../../proto/gen/nixinfra/v1/operator.js';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import type { EtcdStore } from '../../shared/etcd/store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import type { ControllerConfig } from './config.js';

export interface Members {
  ask(): Promise<EtcdMember[]>;
  close(): void;
}

/** Healthy: it answers in time and knows a leader. */
export async function askMember(name: string, store: EtcdStore): Promise<EtcdMember> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), defaults.memberMs);
  });
  const status = await Promise.race([store.memberStatus().catch(() => undefined), late]);
  clearTimeout(timer);
  // A member without a leader answers, but cannot serve.
  const healthy = status !== undefined && status.leader !== '0';
  return { name, healthy, leader: healthy && status.leader === status.member };
}

export function openMembers(config: ControllerConfig): Members {
  const stores = config.etcdMembers.map(({ name, endpoint }) => ({
    name,
    store: openEtcd({ ...config.etcd, endpoints: [endpoint] }),
  }));
  return {
    ask: () => Promise.all(stores.map(({ name, store }) => askMember(name, store))),
    close: () => {
      for (const { store } of stores) store.close();
    },
  };
}
