/** A small cluster in a lab of its own, and what the lab tests do with it: edit node files, run the product's command, look at nodes from the console. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readStatus } from '../../lab/demo/cluster-view.js';
import { commandRunner } from '../../lab/demo/command.js';
import { type Demo, makeProject, publicUrl, startLab } from '../../lab/demo/steps.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { repoRoot } from '../../lab/repo-root.js';
import { type Outcome, type OutcomeOptions, outcomeOf, problemCodes } from './outcome.js';

const say = (line: string) => console.log(line);

export interface LabClusterOptions {
  /** Part of the lab's folder and of scratch folders. */
  name: string;
  /** A /24 that no other lab test uses. */
  network: string;
  /** Text of cluster.yaml. */
  yaml: string;
}

/** cluster.yaml of a whole small cluster: three control nodes, two workers that run the app, one way in. */
export function sixNodes(name: string): string {
  return `name: ${name}
nixos: "25.05"
provider: { kind: hetzner, image: "label:os=nixos" }
nodes:
  control: [etcd001, etcd002, etcd003]
  cluster:
    worker001: { services: [backends, services] }
    worker002: { services: [backends, services] }
  ingress: { ingress001: { services: [frontends] } }
`;
}

export class LabCluster {
  readonly root = repoRoot();
  readonly scratch: string;
  demo!: Demo;
  cloud: Record<string, string> = {};
  url = '';

  constructor(private readonly options: LabClusterOptions) {
    process.env.NIX_INFRA_LAB_DIR = `/var/lib/nix-infra-lab-${options.name}`;
    process.env.NIX_INFRA_LAB_NETWORK = options.network;
    this.scratch = mkdtempSync(join(tmpdir(), `nix-infra-${options.name}-`));
  }

  /** The lab and a project; no servers yet. */
  async open(): Promise<void> {
    if (!existsSync(join(this.root, 'dist')))
      execFileSync(process.execPath, [join(this.root, 'scripts/build.mjs')], { stdio: 'inherit' });
    this.cloud = await startLab(this.root, say);
    this.demo = await makeProject(this.root, join(this.scratch, 'project'), this.cloud, say);
    writeFileSync(join(this.demo.project, 'cluster.yaml'), this.options.yaml);
  }

  async close(): Promise<void> {
    await commandRunner(this.root, this.root)(['lab', 'down'], say);
    rmSync(this.scratch, { recursive: true, force: true });
  }

  /** `up`, and the app's address from outside. */
  async up(): Promise<void> {
    await this.succeed(['up']);
    const status = await readStatus(this.demo.run);
    expect(status.nodes.filter((node) => !node.connected)).toEqual([]);
    this.url = publicUrl(status);
  }

  attempt(args: readonly string[], options: Omit<OutcomeOptions, 'cwd'> = {}): Promise<Outcome> {
    return outcomeOf(this.root, args, { cwd: this.demo.project, ...options });
  }

  async succeed(args: readonly string[], options: Omit<OutcomeOptions, 'cwd'> = {}): Promise<Outcome> {
    const outcome = await this.attempt(args, options);
    expect(outcome.code, outcome.output).toBe(0);
    return outcome;
  }

  /** From the console of the machine: works without SSH and without a controller. */
  async onNode(node: string, ...command: string[]): Promise<string> {
    return (await this.demo.run(['lab', 'exec', node, ...command])).stdout.trim();
  }

  systemOf(node: string): Promise<string> {
    return this.onNode(node, 'readlink', '-f', '/run/current-system');
  }

  /** The generation that the next boot takes. */
  bootDefaultOf(node: string): Promise<string> {
    return this.onNode(node, 'readlink', '-f', '/nix/var/nix/profiles/system');
  }

  nodeFile(node: string): string {
    return join(this.demo.project, 'nodes', `${node}.nix`);
  }

  /** Runs `work` with other text at the end of a node's file, and puts the old text back. */
  async withNix<T>(node: string, lines: string, work: () => Promise<T>): Promise<T> {
    const file = this.nodeFile(node);
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace(/\}\s*$/, `${lines}\n}\n`));
    try {
      return await work();
    } finally {
      writeFileSync(file, good);
    }
  }

  /** Sets the version of hello on these nodes. */
  wantVersion(version: string, ...nodes: string[]): void {
    for (const node of nodes) {
      const file = this.nodeFile(node);
      const text = readFileSync(file, 'utf8').replace(/version = "[^"]*"/, `version = "${version}"`);
      expect(text).toContain(`version = "${version}"`);
      writeFileSync(file, text);
    }
  }

  /** What the outside world gets; throws when it is not the app. */
  async askApp(): Promise<string> {
    const answer = await fetch(this.url, { signal: AbortSignal.timeout(5_000) });
    const text = await answer.text();
    expect(answer.status, text).toBe(200);
    return text;
  }

  serves(version: string): Promise<unknown> {
    return waitUntil(`an answer of ${version}`, async () => (await this.askApp()).includes(`"${version}"`));
  }

  async allConnected(): Promise<void> {
    await waitUntil(
      'every agent connected',
      async () => (await readStatus(this.demo.run)).nodes.every((node) => node.connected),
      { deadlineMs: 60_000 },
    );
  }
}

/** The command ends with this exit code and tells this problem, and no other. */
export function expectProblem({ code, output }: Outcome, problem: string, exit: number): void {
  expect({ problems: problemCodes(output), code }, output).toEqual({ problems: [problem], code: exit });
  expect(output).toMatch(/^ {2}next: {2}\S/m);
}
