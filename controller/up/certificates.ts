/** Which certificates a node gets, and where they stand on it. */
import type { Principal } from '../../shared/names.js';
import {
  type Authority,
  ensureAuthority,
  ensureLeaf,
  type Leaf,
  type LeafRequest,
} from '../pki/authority.js';
import type { NodeConfig } from '../project/cluster-config.js';
import type { Project } from '../project/folder.js';
import type { TarEntry } from './tar.js';

/** Opens the CA of the project with the passwords of its environment. */
export function openAuthority({ dir, config, env }: Project): Promise<Authority> {
  const optional = {
    ...(env.CERT_COMPANY ? { company: env.CERT_COMPANY } : {}),
    ...(env.CERT_COUNTRY_CODE ? { country: env.CERT_COUNTRY_CODE } : {}),
    ...(env.CERT_STATE_PROVINCE ? { state: env.CERT_STATE_PROVINCE } : {}),
    ...(env.CERT_EMAIL ? { email: env.CERT_EMAIL } : {}),
  };
  return ensureAuthority(dir, {
    cluster: config.name,
    caPass: env.CA_PASS ?? '',
    intermediatePass: env.INTERMEDIATE_CA_PASS ?? '',
    ...optional,
  });
}

/** The leaf certificates of a node by their file name without ending. */
export function leafRequests(cluster: string, node: NodeConfig, ipv4: string): Record<string, LeafRequest> {
  const { name, kind } = node;
  const principal = (role: Principal['kind']): Principal => ({ cluster, kind: role, name });
  const served = { dns: [name, 'localhost'], ips: [ipv4, '127.0.0.1'] };
  const client = {
    [`${name}-client-tls`]: { subject: `${name} client tls`, principal: principal('node'), ...served },
  };
  if (kind !== 'control') return client;
  return {
    ...client,
    [`${name}-peer-tls`]: { subject: `${name} peer tls`, ...served },
    [`${name}-controller-tls`]: {
      subject: `${name} controller tls`,
      principal: principal('controller'),
      dns: [name],
      ips: [ipv4],
    },
  };
}

/** Makes (or reuses) the certificates of a node, as the files of its /root/certs. */
export async function certificateFiles(
  authority: Authority,
  project: Project,
  node: NodeConfig,
  ipv4: string,
): Promise<TarEntry[]> {
  const files: TarEntry[] = [
    { path: 'ca-chain.cert.pem', mode: 0o400, content: Buffer.from(authority.chainPem) },
  ];
  for (const [name, request] of Object.entries(leafRequests(project.config.name, node, ipv4))) {
    const leaf = await ensureLeaf(authority, project.dir, name, request);
    files.push({ path: `${name}.key.pem`, mode: 0o400, content: Buffer.from(leaf.keyPem) });
    files.push({ path: `${name}.cert.pem`, mode: 0o400, content: Buffer.from(leaf.certPem) });
  }
  return files;
}

/** The certificate that this command shows to controllers. */
export function operatorLeaf(authority: Authority, project: Project): Promise<Leaf> {
  const principal: Principal = { cluster: project.config.name, kind: 'operator', name: 'operator' };
  return ensureLeaf(authority, project.dir, 'operator-client-tls', {
    subject: 'operator client tls',
    principal,
    dns: [],
    ips: [],
  });
}
