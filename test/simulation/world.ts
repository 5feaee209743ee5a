/** Puts one seed's world together and runs it to its end. */
import pino from 'pino';
import { isTerminal } from '../../controller/rollout/rollout.js';
import { keys } from '../../controller/store/keys.js';
import { leaderShape, parseValue } from '../../controller/store/shapes.js';
import { Agent } from './agent.js';
import { checkersOf } from './checkers.js';
import { committed, lineOf } from './commits.js';
import { Content } from './content.js';
import { Controller } from './controller.js';
import { SimEtcd } from './etcd.js';
import type { EtcdClient } from './etcd-client.js';
import { Faults } from './faults.js';
import { type Checker, type Happening, Violation } from './history.js';
import { Link, type LinkEnd, type ToAgent, type ToController } from './link.js';
import { Network } from './network.js';
import { Operator } from './operator.js';
import { scenarioOf } from './scenario.js';
import { Random, Scheduler } from './scheduler.js';
import { Succession } from './succession.js';

export interface Outcome {
  seed: number;
  /** Of every line of the trace: equal when two runs were the same to the event. */
  fingerprint: number;
  events: number;
  virtualMs: number;
  /** How many rollouts ended in each state. */
  ends: Record<string, number>;
  struck: string[];
  violation?: { checker: string; message: string };
}

/** After faults cease and everyone's limits are over. Past it the world has not come to rest. */
const REST_MS = 60_000 + 120_000 + 1_800_000 + 120_000;

export async function runSeed(seed: number, trace?: (line: string) => void): Promise<Outcome> {
  const scenario = scenarioOf(seed);
  const random = new Random(seed + 0x5eed);
  const scheduler = new Scheduler();
  let fingerprint = 0x811c9dc5;
  const note = (text: string) => {
    const line = `${scheduler.now.toFixed(3).padStart(12)} ${text}`;
    for (let at = 0; at < line.length; at++)
      fingerprint = Math.imul(fingerprint ^ line.charCodeAt(at), 0x01000193) >>> 0;
    trace?.(line);
  };
  const log = trace
    ? pino(
        { base: null, timestamp: false },
        { write: (line: string) => note(`log ${line.trim().replace(/\\n.*/, '')}`) },
      )
    : pino({ enabled: false });

  const content = new Content(seed, scenario.apps);
  const checkers: Checker[] = checkersOf(scenario, content);
  let violation: Violation | undefined;
  const see = (happening: Happening) => {
    note(lineOf(happening));
    try {
      for (const checker of checkers) checker.see(happening, scheduler.now);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation ??= error;
    }
  };
  const ends: Record<string, number> = {};
  const time = {
    now: () => scheduler.now,
    after: (ms: number, run: () => void) => scheduler.after(ms, run),
    lateness: () => random.between(0, 1_000),
  };
  const etcd = new SimEtcd(time, (commit) => {
    const happening = committed(commit, leaderOf(etcd), clients.get(commit.by));
    for (const { before, after } of happening.journals)
      if (after && after.state !== before?.state && isTerminal(after.state))
        ends[after.state] = (ends[after.state] ?? 0) + 1;
    see(happening);
  });
  /** The clients of leaders, by name. */
  const clients = new Map<string, EtcdClient>();
  const network = new Network(scheduler, random);
  const shared = { etcd, network, random, scheduler };
  let faults: Faults | undefined;
  const controllers = Array.from(
    { length: scenario.controllers },
    (_, at) =>
      new Controller(`controller${at + 1}`, {
        ...shared,
        log,
        beforeCall: (call, controller) => {
          clients.set(call.client.parts.name, call.client);
          faults?.at('before', call, controller);
        },
        afterCall: (call, controller) => faults?.at('after', call, controller),
      }),
  );
  const agents = scenario.nodes.map(
    (spec) =>
      new Agent({
        ...shared,
        spec,
        content,
        fates: scenario.fates,
        tell: see,
        dial: dialler(controllers, shared),
      }),
  );
  let revisions = 0;
  const operators = Array.from(
    { length: scenario.operators },
    (_, at) =>
      new Operator({
        name: `operator${at + 1}`,
        nodes: scenario.nodes,
        content,
        controllers,
        random,
        scheduler,
        runsOn: (node) => agents.find(({ name }) => name === node)?.runs ?? '',
        nextRevision: () => `v${++revisions}`,
        note,
      }),
  );
  faults = new Faults({ scenario, controllers, agents, etcd, network, random, scheduler, note });
  for (const controller of controllers) scheduler.after(random.between(0, 500), () => controller.start());
  for (const agent of agents) scheduler.after(random.between(0, 300), () => agent.boot());
  for (const operator of operators) scheduler.after(0, () => void operator.work(scenario.calmAtMs));

  const succession = new Succession({ etcd, network, controllers });
  const watchLeaders = () => {
    const gap = succession.look(scheduler.now);
    if (gap) violation ??= new Violation('succession', gap);
    scheduler.after(Succession.everyMs, watchLeaders);
  };
  scheduler.after(Succession.everyMs, watchLeaders);

  const rested = () =>
    faults?.calm === true &&
    etcd.get(keys.lock) === undefined &&
    operators.every(({ done }) => done) &&
    agents.every((agent) => agent.idle) &&
    agents.every((agent) => agent.goneForEver || agent.answered(etcd.get(keys.desired(agent.name))));
  const done = await scheduler.run(() => violation !== undefined || rested(), scenario.calmAtMs + REST_MS);
  if (!done) violation = new Violation('liveness', `no rest: ${restless(etcd, agents, operators)}`);
  try {
    if (!violation) for (const checker of checkers) checker.end?.(scheduler.now);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error;
  }
  return {
    seed,
    fingerprint,
    events: scheduler.events,
    virtualMs: scheduler.now,
    ends,
    struck: faults.struck,
    ...(violation ? { violation: { checker: violation.checker, message: violation.message } } : {}),
  };
}

function restless(etcd: SimEtcd, agents: readonly Agent[], operators: readonly Operator[]): string {
  const lock = etcd.get(keys.lock)?.value.toString() ?? 'no lock';
  const busy = agents
    .filter((agent) => !agent.idle)
    .map(({ name, disk }) => `${name} ${disk.job?.phase ?? 'off'}`);
  return [lock, ...busy, ...operators.filter(({ done }) => !done).map(({ process }) => process.name)].join(
    ', ',
  );
}

function leaderOf(etcd: SimEtcd): { token: number; controller: string } | undefined {
  const entry = etcd.get(keys.leader);
  return (
    entry && {
      token: entry.createRevision,
      controller: parseValue(keys.leader, entry.value, leaderShape).controller,
    }
  );
}

function dialler(
  controllers: readonly Controller[],
  shared: { network: Network; random: Random; scheduler: Scheduler },
) {
  const { network, random } = shared;
  return (agent: LinkEnd<ToAgent>, node: string) =>
    new Promise<{ link: Link; hello(revision: string): void } | undefined>((resolve) => {
      const controller = random.pick(controllers);
      const running = controller.running;
      const answers =
        running?.process.state === 'running' &&
        agent.host !== '' &&
        !network.isCut(agent.host, controller.name);
      if (!running || !answers) {
        agent.process.after(random.between(5, 1_500), () => resolve(undefined));
        return;
      }
      let hear: (message: ToController) => void = () => {};
      const link = new Link(shared, agent, {
        process: running.process,
        host: controller.name,
        hear: (message) => hear(message),
        closed: () => running.sessions.close(node, link),
      });
      agent.process.after(network.latency() * 3, () =>
        resolve({
          link,
          hello: (revision) => {
            hear = (message) => {
              if (message.say !== 'hello') return;
              hear = running.sessions.open(node, link);
              hear(message);
            };
            link.toController({ say: 'hello', revision });
          },
        }),
      );
    });
}
