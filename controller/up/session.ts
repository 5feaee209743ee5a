/** Everything a command needs to work on a cluster, opened from a project folder. */
import { CONTROLLER_PORT } from '../../shared/protocol.js';
import { createOperatorClient } from '../operator-client/operator-client.js';
import { type Project, readProjectFiles } from '../project/folder.js';
import { readPrograms } from '../project/install.js';
import { openAuthority, operatorLeaf } from './certificates.js';
import { ensureClusterState } from './cluster-state.js';
import { Convergence } from './convergence.js';
import { openProvider, operatorKey, ProviderMachines } from './provider-machines.js';

export interface SessionOptions {
  onProgress?: (node: string, message: string) => void;
  /** For a cluster whose state is made now: etcd's cluster token. */
  uuid?: string | undefined;
}

export interface Session {
  project: Project;
  machines: ProviderMachines;
  convergence: Convergence;
  /** Of the cluster's first etcd. */
  etcdClusterToken: string;
}

/** Opens the session; the caller closes `convergence`. Throws what the project, the CA or the provider's settings lack. */
export async function openSession(project: Project, options: SessionOptions = {}): Promise<Session> {
  const machines = new ProviderMachines(project, openProvider(project));
  const [key, authority, state, files] = await Promise.all([
    operatorKey(project),
    openAuthority(project),
    ensureClusterState(project.dir, project.config.nixos, options.uuid),
    readProjectFiles(project.dir),
  ]);
  const etcdClusterToken = `${project.config.name}-${state.uuid}`;
  const convergence = new Convergence({
    project,
    machines,
    authority,
    files,
    programs: readPrograms(),
    sshKeys: [key.publicKey],
    etcdClusterToken,
    stateVersion: state.stateVersion,
    onProgress: options.onProgress ?? (() => undefined),
    connectOperator: async (control) =>
      createOperatorClient({
        cluster: project.config.name,
        controllers: control.map(({ name, ipv4 }) => ({ name, address: `${ipv4}:${CONTROLLER_PORT}` })),
        chainPem: authority.chainPem,
        ...(await operatorLeaf(authority, project)),
      }),
  });
  return { project, machines, convergence, etcdClusterToken };
}
