/** Puts the agent together: session, applier and apps around one state folder. It dials out and never listens. */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { openEtcd } from '../shared/etcd/etcd3-store.js';
import { PROTOCOL_VERSION } from '../shared/protocol.js';
import type { Activator, UnitWatcher } from './apply/activator.js';
import { Applier } from './apply/applier.js';
import { StateFiles } from './apply/state-files.js';
import { AppSupervisor } from './apps/supervisor.js';
import type { Clock } from './clock.js';
import type { AgentConfig } from './config.js';
import { agentDefaults as defaults } from './defaults.js';
import { sampleNode } from './health/sample.js';
import { Dialler } from './session/dialler.js';
import { wirePhase, wireResult } from './words.js';

export interface AgentParts {
  config: AgentConfig;
  activator: Activator;
  units: UnitWatcher;
  clock: Clock;
  log: Logger;
  version: string;
  /** Spoken in Hello; another one than the controller's is refused. */
  protocolVersion?: number;
}

export interface Agent {
  stop(): Promise<void>;
}

export async function startAgent(parts: AgentParts): Promise<Agent> {
  const { config, activator, units, clock, log, version } = parts;
  const { node, appsDir, configDir, stateDir } = config;
  const etcd = openEtcd(config.etcd);
  const files = new StateFiles(stateDir);
  const apps = new AppSupervisor({ node, appsDir, etcd, units, clock, log });
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
  let healthIntervalMs: number = defaults.healthIntervalMs;
  let stopped = false;

  const dialler: Dialler = new Dialler({
    config,
    clock,
    log,
    hello: async () => ({
      protocolVersion: parts.protocolVersion ?? PROTOCOL_VERSION,
      agentVersion: version,
      bootId,
      revision: (await files.applied())?.revision ?? '',
      system: await activator.currentSystem(),
    }),
    onOpen: () => {
      const job = applier.running();
      if (job) report.progress(job.revision, job.phase, '');
      void sendHealth();
    },
    onCommand: (command, first) => {
      if (command.$case === 'welcome')
        healthIntervalMs = command.value.healthIntervalMs || defaults.healthIntervalMs;
      else if (command.value.manifest) applier.order(command.value.manifest, first);
    },
  });

  const report: ConstructorParameters<typeof Applier>[0]['report'] = {
    progress: (revision, phase, message) =>
      dialler.send({ $case: 'progress', value: { revision, phase: wirePhase[phase], message } }),
    result: (result) => dialler.send({ $case: 'result', value: wireResult(result) }),
  };
  const fetch = (hashes: string[]) => dialler.fetch(hashes);
  const applier = new Applier({
    node,
    configDir,
    stateDir,
    files,
    activator,
    apps,
    clock,
    log,
    report,
    fetch,
  });

  async function sendHealth(): Promise<void> {
    if (!dialler.connected) return;
    const [sample, failed] = await Promise.all([sampleNode(), activator.failedUnits().catch(() => [])]);
    const health = { ...sample, failedUnits: failed, instances: apps.snapshot(), timeMs: clock.now() };
    dialler.send({ $case: 'health', value: health });
  }

  async function healthLoop(): Promise<void> {
    while (!stopped) {
      await sendHealth().catch((error: unknown) => log.warn({ err: error }, 'health could not be read'));
      await clock.sleep(healthIntervalMs);
    }
  }

  await applier.recover();
  await apps.start();
  void dialler.run();
  void healthLoop();
  log.info({ node, version, controllers: config.controllers }, 'the agent is up');
  return {
    stop: async () => {
      stopped = true;
      applier.stop();
      dialler.stop();
      await apps.stop();
      etcd.close();
    },
  };
}
