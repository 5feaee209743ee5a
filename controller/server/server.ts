/** Puts the controller together: etcd, the two services, one TLS listener. */
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { AgentServiceService } from '../../proto/gen/nixinfra/v1/agent.js';
import { OperatorServiceService } from '../../proto/gen/nixinfra/v1/operator.js';
import { openEtcd } from '../../shared/etcd/etcd3-store.js';
import { controllerDefaults as defaults } from '../defaults.js';
import { Election } from '../rollout/election.js';
import { RolloutRunner } from '../rollout/runner.js';
import { wallClock } from '../rollout/wall-clock.js';
import { BlobStore } from '../store/blobs.js';
import { NodeStore } from '../store/nodes.js';
import { agentSide } from './agent-service.js';
import { authorise } from './authorise.js';
import type { ControllerConfig } from './config.js';
import { EtcdAdminService } from './etcd-admin.js';
import { openMembers } from './members.js';
import { operatorSide } from './operator-service.js';

export interface Controller {
  /** Port it listens on; differs from the configured one when that is 0. */
  readonly port: number;
  /** Ends every stream, gives the sessions' keys back and closes; returns within the shutdown limit. */
  stop(): Promise<void>;
}

function credentials({ ca, cert, key }: ControllerConfig['tls']): ServerCredentials {
  // grpc-js has no option for this; it is the default of the whole process.
  tls.DEFAULT_MIN_VERSION = 'TLSv1.3';
  const pair = { private_key: readFileSync(key), cert_chain: readFileSync(cert) };
  return ServerCredentials.createSsl(readFileSync(ca), [pair], true);
}

function bind(server: Server, config: ControllerConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(config.listen, credentials(config.tls), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

/** Starts a controller; rejects when a certificate cannot be read or the port is taken. */
export async function startController(config: ControllerConfig, log: Logger): Promise<Controller> {
  const etcd = openEtcd(config.etcd);
  const members = openMembers(config);
  const stores = {
    etcd,
    nodes: new NodeStore(etcd),
    blobs: new BlobStore(etcd),
    controller: config.name,
    log,
  };
  const agents = agentSide(stores);
  const operators = operatorSide({
    ...stores,
    cluster: config.cluster,
    control: config.etcdMembers.map(({ name }) => name),
    members: () => members.ask(),
    admin: new EtcdAdminService(etcd, config.etcd),
  });
  const clock = wallClock;
  const election = new Election({ etcd, controller: config.name, clock, log });
  const runner = new RolloutRunner({ etcd, clock, log });
  const server = new Server({
    interceptors: [authorise(config.cluster)],
    'grpc.keepalive_time_ms': defaults.keepaliveMs,
    'grpc.keepalive_timeout_ms': defaults.keepaliveTimeoutMs,
    'grpc.max_receive_message_length': defaults.receiveBytes,
  });
  server.addService(AgentServiceService, agents.service);
  server.addService(OperatorServiceService, operators.service);

  async function stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, defaults.shutdownMs);
    });
    operators.stop();
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    await Promise.race([Promise.all([election.stop(), agents.stop(), closed]), late]);
    clearTimeout(timer);
    server.forceShutdown();
    members.close();
    etcd.close();
  }

  try {
    const port = await bind(server, config);
    log.info(
      { cluster: config.cluster, controller: config.name, listen: config.listen, port },
      'the controller is up',
    );
    void election.run((leadership) => runner.lead(leadership));
    return { port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
