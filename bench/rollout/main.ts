/**
 * Time of a deploy that changes nothing and of a one-line change, on 1, 3 and 5 nodes, split by phase; beside it, in the same run, what
 * the same nodes take for `nixos-rebuild switch` over SSH, all at once and without any proof. Quote the ratios: absolute times move.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandResult, commandRunner } from '../../lab/demo/command.js';
import { makeProject, startLab } from '../../lab/demo/steps.js';
import { repoRoot } from '../../lab/repo-root.js';
import { median, type PhaseTimes, parseEvents, phaseTimes } from './phases.js';

process.env.NIX_INFRA_LAB_DIR = '/var/lib/nix-infra-lab-bench';
process.env.NIX_INFRA_LAB_NETWORK = '10.84.0.0/24';

const sizes = [1, 3, 5];
const runs = { noop: 5, change: 3 };
const workers = Array.from({ length: 5 }, (_, at) => `worker00${at + 1}`);
const yaml = `name: bench
nixos: "25.05"
provider: { kind: hetzner, image: "label:os=nixos" }
nodes:
  control: [etcd001]
  cluster:
${workers.map((name) => `    ${name}: { services: [backends, services] }`).join('\n')}
  ingress: { ingress001: { services: [frontends] } }
`;

const root = repoRoot();
const scratch = mkdtempSync(join(tmpdir(), 'nix-infra-bench-'));
const quiet = () => undefined;

interface Measured {
  ms: number;
  phases: PhaseTimes;
}

async function main(): Promise<void> {
  const env = await startLab(root, quiet);
  const { run, project } = await makeProject(root, join(scratch, 'project'), env, quiet);
  writeFileSync(join(project, 'cluster.yaml'), yaml);
  const hello = readFileSync(join(project, 'nodes/worker001.nix'), 'utf8');
  const setVersion = (version: string, names: readonly string[]) => {
    for (const name of names)
      writeFileSync(
        join(project, `nodes/${name}.nix`),
        hello.replace(/version = "[^"]*"/, `version = "${version}"`),
      );
  };
  setVersion('v0', workers);
  await run(['up'], quiet);

  const deploy = async (names: readonly string[]): Promise<Measured> => {
    const started = Date.now();
    const result: CommandResult = await run(['deploy', '--on', names.join(','), '-o', 'json']);
    return { ms: result.ms, phases: phaseTimes(parseEvents(result.stdout), started) };
  };
  const overSsh = async (names: readonly string[]) => {
    const command = 'nixos-rebuild switch --flake "/etc/nixos#$(hostname)"';
    return (await run(['cluster', 'cmd', `--target=${names.join(' ')}`, command])).ms;
  };

  let version = 0;
  for (const size of sizes) {
    const names = workers.slice(0, size);
    const noop: number[] = [];
    const ssh: number[] = [];
    for (let at = 0; at < runs.noop; at++) {
      noop.push((await deploy(names)).ms);
      ssh.push(await overSsh(names));
    }
    const changes: Measured[] = [];
    for (let at = 0; at < runs.change; at++) {
      version += 1;
      setVersion(`v${version}`, names);
      changes.push(await deploy(names));
    }
    print(size, median(noop), median(ssh), changes);
  }
}

function print(size: number, noop: number, ssh: number, changes: readonly Measured[]): void {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const change = median(changes.map(({ ms }) => ms));
  console.log(`\n${size} node(s), medians`);
  console.log(`  deploy, nothing changes      ${seconds(noop)}`);
  console.log(`  nixos-rebuild switch by SSH  ${seconds(ssh)}   deploy / SSH = ${(noop / ssh).toFixed(2)}`);
  console.log(`  deploy, one line changes     ${seconds(change)}   per node ${seconds(change / size)}`);
  const phases = new Set(changes.flatMap((one) => Object.keys(one.phases)));
  for (const phase of phases)
    console.log(`    ${phase.padEnd(12)} ${seconds(median(changes.map((one) => one.phases[phase] ?? 0)))}`);
}

try {
  await main();
} finally {
  await commandRunner(root, root)(['lab', 'down'], quiet);
  rmSync(scratch, { recursive: true, force: true });
}
