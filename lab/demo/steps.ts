/**
 * The nine steps of the demo as functions that do one thing and return what was seen. The demo prints the facts, the lab
 * test asserts on them, so both walk the same road: the product's own commands (command.ts) and plain HTTP from outside.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { haproxyServers, leasedNodes, readStatus, type StatusView } from './cluster-view.js';
import { type Command, commandRunner } from './command.js';
import { type LedgerSummary, startLedger, summarise } from './ledger.js';
import { waitUntil } from './wait-until.js';

export const APP = 'hello';
export const WORKERS = ['worker001', 'worker002'];
/** Nodes that run haproxy and subscribe to the app's group. */
export const SUBSCRIBERS = ['ingress001'];
/** Requests per second while the app is updated. */
const UPDATE_LOAD = 200;

export type Say = (line: string) => void;

export interface Demo {
  run: Command;
  project: string;
}

/** Step 1: the lab, and what any Hetzner client needs to find it. */
export async function startLab(root: string, say: Say): Promise<Record<string, string>> {
  const run = commandRunner(root, root);
  await run(['lab', 'up'], say);
  const { stdout } = await run(['lab', 'env']);
  return Object.fromEntries(
    [...stdout.matchAll(/^(?:export )?([A-Z_]+)=["']?([^"'\n]*)["']?$/gm)].map((match) => [
      match[1] ?? '',
      match[2] ?? '',
    ]),
  );
}

/** Step 2: a project folder from the reference cluster. The lab's endpoint and token go into its .env, like a real token would. */
export async function makeProject(
  root: string,
  project: string,
  env: Record<string, string>,
  say: Say,
): Promise<Demo> {
  mkdirSync(project, { recursive: true });
  const run = commandRunner(root, project);
  await run(['init'], say);
  const envFile = join(project, '.env');
  const current = existsSync(envFile) ? readFileSync(envFile, 'utf8') : '';
  const kept = current
    .split('\n')
    .filter((line) => !Object.keys(env).some((key) => line.startsWith(`${key}=`)));
  writeFileSync(envFile, kept.join('\n'), { mode: 0o600 });
  appendFileSync(
    envFile,
    `${Object.entries(env)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n')}\n`,
  );
  return { run, project };
}

/** Steps 3 to 5: servers, bootstrap, agents, first deploy; one command. */
export async function bringUp(demo: Demo, say: Say): Promise<void> {
  await demo.run(['up'], say);
}

/** The app's URL as the outside world sees it. */
export function publicUrl(status: StatusView): string {
  const ingress = status.nodes.find((node) => node.kind === 'ingress');
  return `http://${ingress?.ipv4 ?? 'no-ingress'}/`;
}

/** Step 6: both instances registered under leases, in the running haproxy, answering from outside by both workers. */
export async function seeApp(demo: Demo): Promise<{ status: StatusView; url: string; answeredBy: string[] }> {
  const { value: status } = await waitUntil('both instances under leases', async () => {
    const seen = await readStatus(demo.run);
    return leasedNodes(seen, APP).join() === WORKERS.join() && seen;
  });
  for (const node of SUBSCRIBERS) {
    await waitUntil(`both instances in haproxy on ${node}`, async () => {
      const servers = await haproxyServers(demo.run, node, APP);
      return WORKERS.every((worker) => servers[worker]?.startsWith('UP'));
    });
  }
  const url = publicUrl(status);
  const answeredBy = new Set<string>();
  await waitUntil('answers from both workers through the ingress', async () => {
    const answer = (await (await fetch(url)).json()) as { node: string };
    answeredBy.add(answer.node);
    return WORKERS.every((worker) => answeredBy.has(worker));
  });
  return { status, url, answeredBy: [...answeredBy].sort() };
}

/** Step 7: a new version of the app, one worker after the other, under load; every request is in the ledger. */
export async function updateUnderLoad(
  demo: Demo,
  url: string,
  version: string,
  say: Say,
): Promise<LedgerSummary & { versions: string[] }> {
  for (const worker of WORKERS) {
    const file = join(demo.project, 'nodes', `${worker}.nix`);
    const text = readFileSync(file, 'utf8');
    const edited = text.replace(/version = "[^"]*"/, `version = "${version}"`);
    if (!edited.includes(`version = "${version}"`)) throw new Error(`${file} sets no version`);
    writeFileSync(file, edited);
  }
  const ledger = startLedger(url, UPDATE_LOAD);
  try {
    await demo.run(['deploy', '--on', 'worker*'], say);
    const since = ledger.entries.length;
    await waitUntil('only the new version answers', async () => {
      const latest = ledger.entries.slice(Math.max(since, ledger.entries.length - 100));
      return latest.length === 100 && latest.every((entry) => entry.body.includes(`"${version}"`));
    });
  } finally {
    await ledger.stop();
  }
  const versions = new Set(
    ledger.entries.flatMap((entry) => /"version":"([^"]+)"/.exec(entry.body)?.[1] ?? []),
  );
  return { ...summarise(ledger.entries), versions: [...versions].sort() };
}

/** Step 8: one worker's app down and up again; how long until it left and rejoined etcd and the running haproxy. */
export async function downAndUp(
  demo: Demo,
  url: string,
): Promise<{ leftMs: number; rejoinedMs: number; load: LedgerSummary }> {
  const [worker = ''] = WORKERS;
  const [subscriber = ''] = SUBSCRIBERS;
  const ledger = startLedger(url, 50);
  const settled = (present: boolean) =>
    waitUntil(`${worker} ${present ? 'in' : 'out of'} the load balancer`, async () => {
      const registered = leasedNodes(await readStatus(demo.run), APP).includes(worker);
      const routed = (await haproxyServers(demo.run, subscriber, APP))[worker]?.startsWith('UP') ?? false;
      return registered === present && routed === present;
    });
  try {
    await demo.run(['cluster', 'cmd', `--target=${worker}`, `systemctl stop ${APP}`]);
    const left = await settled(false);
    await demo.run(['cluster', 'cmd', `--target=${worker}`, `systemctl start ${APP}`]);
    const rejoined = await settled(true);
    return { leftMs: left.ms, rejoinedMs: rejoined.ms, load: summarise(await ledger.stop()) };
  } finally {
    await ledger.stop();
  }
}
