import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDeclaration } from '../../agent/apps/declaration.js';
import { buildBundle, type ProjectFiles } from '../../controller/project/bundle.js';
import { type ClusterConfig, parseClusterConfig } from '../../controller/project/cluster-config.js';
import type { ClusterFacts } from '../../controller/project/cluster-json.js';
import { readProjectFiles } from '../../controller/project/folder.js';

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../..');

/** Addresses as provisioning would find them. */
const facts: ClusterFacts = {
  ipv4: {
    etcd001: '192.0.2.1',
    etcd002: '192.0.2.2',
    etcd003: '192.0.2.3',
    registry001: '192.0.2.4',
    worker001: '192.0.2.5',
    worker002: '192.0.2.6',
    ingress001: '192.0.2.7',
  },
  overlayIp: {
    registry001: '10.10.4.0',
    worker001: '10.10.5.0',
    worker002: '10.10.6.0',
    ingress001: '10.10.7.0',
  },
  sshKeys: ['ssh-ed25519 AAAA operator'],
  etcdClusterToken: 'demo-token',
  stateVersion: '25.05',
};

interface Changes {
  /** Replaces the node's own file. */
  readonly nodeFile?: string;
  /** Replaces the addresses and tokens. */
  readonly facts?: ClusterFacts;
  /** Replaces keys of cluster.json, also with what the CLI would never write. */
  readonly clusterJson?: Readonly<Record<string, unknown>>;
}

let workspace: string;
let config: ClusterConfig;
let template: ProjectFiles;

/** Writes what stands in /etc/nixos of the node, made by the product's own code, and returns where. */
async function configurationOf(name: string, changes: Changes): Promise<string> {
  const node = config.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new Error(`the template has no node ${name}`);
  const files = new Map(template);
  if (changes.nodeFile !== undefined) {
    files.set(`nodes/${name}.nix`, { content: Buffer.from(changes.nodeFile), mode: 0o644 });
  }
  const programs = {
    agent: Buffer.from('// agent'),
    mesh: Buffer.from('// mesh'),
    controller: Buffer.from('// controller'),
  };
  const bundle = buildBundle({ config, node, facts: changes.facts ?? facts, files, programs });

  const directory = await mkdtemp(join(workspace, `${name}-`));
  for (const file of bundle.files) {
    const path = join(directory, file.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bundle.contents.get(file.sha256) ?? '', { mode: file.mode });
  }
  // What the installer leaves on a server; this one never boots.
  await writeFile(join(directory, 'hardware-configuration.nix'), '{ boot.isContainer = true; }');
  if (changes.clusterJson !== undefined) {
    const path = join(directory, 'cluster.json');
    const written: unknown = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify(Object.assign({}, written, changes.clusterJson)));
  }
  return directory;
}

/** Builds the node's system as a pure flake against the stand-in for nixpkgs. */
async function build(name: string, changes: Changes = {}): Promise<string> {
  const directory = await configurationOf(name, changes);
  const script = join(repository, 'lab/nixos-rebuild/eval-node.sh');
  const { stdout } = await run('bash', [script, 'build', directory, name, `${directory}.out`]);
  return stdout.trim();
}

/** What nix says when it refuses the node. */
async function refusal(name: string, changes: Changes): Promise<string> {
  const outcome = await build(name, changes).then(
    (toplevel) => `accepted: ${toplevel}`,
    (error: unknown) => error,
  );
  if (typeof outcome === 'string') return outcome;
  return outcome instanceof Error && 'stderr' in outcome ? String(outcome.stderr) : String(outcome);
}

async function unitsOf(toplevel: string): Promise<readonly string[]> {
  return readdir(join(toplevel, 'etc/systemd/system'));
}

async function jsonOf(toplevel: string, path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(toplevel, path), 'utf8'));
}

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'nix-infra-eval-'));
  const project = join(workspace, 'project');
  await cp(join(repository, 'nixos'), project, { recursive: true });
  for (const folder of ['app_modules', 'nodes']) {
    await cp(join(repository, folder), join(project, folder), { recursive: true });
  }
  config = parseClusterConfig(await readFile(join(project, 'cluster.yaml'), 'utf8'));
  template = await readProjectFiles(project);
});

afterAll(async () => {
  await rm(workspace, { recursive: true, force: true });
});

describe('the reference cluster', () => {
  const mesh = ['confd.service', 'flannel.service', 'haproxy.service', 'nix-infra-agent.service'];
  const controlPlane = ['etcd.service', 'nix-infra-agent.service', 'nix-infra-controller.service'];
  const expected: Readonly<
    Record<string, { readonly has: readonly string[]; readonly lacks: readonly string[] }>
  > = {
    etcd001: { has: controlPlane, lacks: ['haproxy.service'] },
    etcd002: { has: controlPlane, lacks: ['haproxy.service'] },
    etcd003: { has: controlPlane, lacks: ['haproxy.service'] },
    registry001: { has: [...mesh, 'docker-registry.service'], lacks: ['hello.service', 'etcd.service'] },
    worker001: { has: [...mesh, 'hello.service'], lacks: ['docker-registry.service', 'etcd.service'] },
    worker002: { has: [...mesh, 'hello.service'], lacks: ['docker-registry.service', 'etcd.service'] },
    ingress001: { has: [...mesh, 'nginx.service'], lacks: ['hello.service', 'etcd.service'] },
  };

  it.each(Object.entries(expected))('%s builds, with the units of its kind', async (name, { has, lacks }) => {
    const units = await unitsOf(await build(name));
    expect(units).toEqual(expect.arrayContaining([...has]));
    expect(units.filter((unit) => lacks.includes(unit))).toEqual([]);
  });

  it('declares the app to the agent as data', async () => {
    const toplevel = await build('worker001');
    expect(await jsonOf(toplevel, 'etc/nix-infra/apps.d/hello.json')).toEqual({
      name: 'hello',
      group: 'frontends',
      unit: 'hello.service',
      port: 11211,
      bindIp: '10.10.5.0',
      envPrefix: 'HELLO',
      protocol: 'http',
      path: '',
      version: 'v1',
      minHealthy: null,
      meta_data: {
        publish: { port: 11211 },
        health: { path: '/ping' },
        env_prefix: 'HELLO',
        env: { HOST: '127.0.0.1', PATH: '', PORT: 11211, PROTOCOL: 'http' },
      },
      health: {
        kind: 'http',
        path: '/ping',
        host: '10.10.5.0',
        port: 11211,
        intervalMs: 1000,
        timeoutMs: 2000,
        rise: 1,
        fall: 2,
        startGraceMs: 60000,
      },
    });
  });

  it('tells the agent every controller and every etcd member', async () => {
    const config = await jsonOf(await build('worker001'), 'etc/nix-infra/agent.json');
    expect(config).toMatchObject({
      cluster: 'demo',
      node: 'worker001',
      services: ['backends', 'services'],
      haproxyConfig: '/var/lib/haproxy-mesh/haproxy.cfg',
      controllers: ['192.0.2.1:7443', '192.0.2.2:7443', '192.0.2.3:7443'],
      tls: { key: '/root/certs/worker001-client-tls.key.pem' },
      etcd: { endpoints: ['https://etcd001:2379', 'https://etcd002:2379', 'https://etcd003:2379'] },
    });
  });

  it('lets sshd take the key of the proof, and tells the agent where to put it', async () => {
    const toplevel = await build('worker001');
    expect(await jsonOf(toplevel, 'etc/nix-infra/agent.json')).toMatchObject({
      sshKeysFile: '/run/nix-infra/ssh-proof/root',
      sshPort: 22,
      proveSsh: true,
    });
    const sshd = await readFile(join(toplevel, 'etc/ssh/sshd_config.d/00-nixos.conf'), 'utf8');
    expect(sshd).toMatch(/^AuthorizedKeysFile .*\/run\/nix-infra\/ssh-proof\/%u/m);
  });

  it('never runs haproxy with a file of the store', async () => {
    const unit = await readFile(join(await build('worker001'), 'etc/systemd/system/haproxy.service'), 'utf8');
    expect(unit).toMatch(/^ExecStart=.* -f \/run\/haproxy\/loaded\.cfg /m);
    expect(unit).toMatch(
      /^ExecStartPre=.*load\.sh \/var\/lib\/haproxy-mesh\/haproxy\.cfg \/run\/haproxy\/loaded\.cfg /m,
    );
    expect(unit).toContain('X-ReloadIfChanged=true');
  });

  it('renders the routes for the node, with the groups of its configuration to fall back on', async () => {
    const toplevel = await build('worker001');
    const template = await readFile(join(toplevel, 'etc/confd/templates/haproxy.cfg.tmpl'), 'utf8');
    expect(template).toContain('"|backends|services|"');
    expect(template).toContain('split "worker001" " "');
    expect(template).not.toMatch(/@[a-z]+@/);
  });

  it('has a first haproxy configuration that haproxy accepts', async () => {
    const base = join(repository, 'nixos/modules/haproxy/base.cfg');
    await expect(run('haproxy', ['-c', '-f', base])).resolves.toBeDefined();
  });

  it('starts no registry before the node has an overlay address', async () => {
    const { registry001: _, ...overlayIp } = facts.overlayIp;
    const toplevel = await build('registry001', { facts: { ...facts, overlayIp } });
    expect(await unitsOf(toplevel)).not.toContain('docker-registry.service');
  });
});

describe('a container', () => {
  it('becomes a unit and an app, without a secret in its arguments', async () => {
    const nodeFile = `{
      infrastructure.oci-containers.containers.app-pod = {
        app = { name = "app-pod"; serviceGroup = "backends"; port = 11300; };
        bindToIp = "10.10.5.0";
        image = "10.10.4.0:5000/apps/app-pod:latest";
        environmentSecrets = [ { name = "app.key"; envVar = "APP_KEY"; } ];
      };
    }`;
    const toplevel = await build('worker001', { nodeFile });
    const unit = await readFile(join(toplevel, 'etc/systemd/system/podman-app-pod.service'), 'utf8');
    expect(unit).toContain('LoadCredentialEncrypted=app.key:/root/secrets/app.key');
    const start = /^ExecStart=(\S+)/m.exec(unit)?.[1] ?? '';
    const script = await readFile(start, 'utf8');
    expect(script).toContain('/run/podman-app-pod/secrets.env');
    expect(script).not.toContain('APP_KEY');
    expect(await jsonOf(toplevel, 'etc/nix-infra/apps.d/app-pod.json')).toMatchObject({
      group: 'backends',
      unit: 'podman-app-pod.service',
      bindIp: '10.10.5.0',
      envPrefix: 'APP_POD',
    });
  });
});

describe('copies of an app', () => {
  const nodeFile = `{
    infrastructure.apps.one = {
      group = "backends"; port = 8000; bindToIp = "10.10.5.0";
      health = { kind = "http"; path = "/up"; fall = 3; };
      copies = { "1".port = 8001; "2" = { port = 8002; health.path = "/other"; }; };
    };
    systemd.services.one-1.serviceConfig.ExecStart = "/bin/one";
    systemd.services.one-2.serviceConfig.ExecStart = "/bin/one";
  }`;

  it('have a unit, a port and a check each, and open ports', async () => {
    const toplevel = await build('worker001', { nodeFile });
    const probe = { kind: 'http', host: '10.10.5.0', fall: 3, rise: 1, intervalMs: 1000 };
    expect(await jsonOf(toplevel, 'etc/nix-infra/apps.d/one.json')).toMatchObject({
      port: 8000,
      meta_data: { publish: { port: 8000 } },
      copies: {
        1: { unit: 'one-1.service', port: 8001, health: { ...probe, port: 8001, path: '/up' } },
        2: { unit: 'one-2.service', port: 8002, health: { ...probe, port: 8002, path: '/other' } },
      },
    });
    const declared = await readFile(join(toplevel, 'etc/nix-infra/apps.d/one.json'), 'utf8');
    expect(parseDeclaration(declared, 'one.json').copies.map(({ name }) => name)).toEqual(['1', '2']);
  });

  it('may be containers', async () => {
    const container = (n: number) => `"pod-${n}" = {
      app = { name = "pod"; serviceGroup = "backends"; port = 9000; copy = { number = ${n}; port = 900${n}; }; };
      bindToIp = "10.10.5.0"; image = "x"; };`;
    const pods = `{ infrastructure.oci-containers.containers = { ${container(1)} ${container(2)} }; }`;
    const toplevel = await build('worker001', { nodeFile: pods });
    expect(await jsonOf(toplevel, 'etc/nix-infra/apps.d/pod.json')).toMatchObject({
      port: 9000,
      copies: {
        1: { unit: 'podman-pod-1.service', port: 9001 },
        2: { unit: 'podman-pod-2.service', port: 9002 },
      },
    });
  });

  it.each([
    ['0', '{ "0".port = 1; }', 'name them 1, 2, 3'],
    ['twice the same port', '{ "1".port = 1; "2".port = 1; }', 'a port and a unit of its own'],
  ])('%s is refused', async (_, copies, why) => {
    const one = `{ infrastructure.apps.one = { group = "backends"; port = 1; copies = ${copies}; }; }`;
    expect(await refusal('worker001', { nodeFile: one })).toContain(why);
  });
});

describe('a mistake is refused', () => {
  it('an unknown option, with the file that sets it', async () => {
    const message = await refusal('worker001', { nodeFile: '{ infrastructure.helo.enable = true; }' });
    expect(message).toMatch(/option `infrastructure\.helo' does not exist/);
    expect(message).toContain('node.nix');
  });

  it('a wrong type, with the option', async () => {
    const message = await refusal('worker001', {
      nodeFile: '{ infrastructure.hello = { enable = true; bindToPort = "x"; }; }',
    });
    expect(message).toContain('infrastructure.hello.bindToPort');
  });

  it('an address that is none', async () => {
    const nodeFile = '{ infrastructure.hello = { enable = true; bindToIp = "overlay"; }; }';
    const message = await refusal('worker001', { nodeFile });
    expect(message).toContain('infrastructure.apps.hello.bindToIp is "overlay"');
  });

  it('a control plane of two', async () => {
    const two = ['etcd001', 'etcd002'].map((name) => ({ name, ipv4: facts.ipv4[name] }));
    const message = await refusal('etcd001', { clusterJson: { control: two } });
    expect(message).toContain('the control plane has 2 nodes');
  });

  it('a host with TLS and nobody to tell when its certificate fails', async () => {
    const nodeFile = '{ infrastructure.ingress.hosts."www.example.com" = { port = 11211; tls = true; }; }';
    const message = await refusal('ingress001', { nodeFile });
    expect(message).toContain('needs infrastructure.ingress.acmeEmail');
  });
});
