/** Puts the agent together: session, applier and apps around one state folder. It dials out and never listens. */
import type { Logger } from 'pino';
import { openEtcd } from '../shared/etcd/etcd3-store.js';
import { PROTOCOL_VERSION } from '../shared/protocol.js';
import type { Activator, UnitWatcher } from './apply/activator.js';
import { Applier, type Reporter } from './apply/applier.js';
import { MeshGate } from './apply/mesh-gate.js';
import { Preparation } from './apply/preparation.js';
import { Preparer } from './apply/preparer.js';
import { Prover } from './apply/prover.js';
import { StateFiles } from './apply/state-files.js';
import { Turn } from './apply/turn.js';
import { AppSupervisor } from './apps/supervisor.js';
import type { Clock } from './clock.js';
import type { AgentConfig } from './config.js';
import { agentDefaults as defaults } from './defaults.js';
import { sampleNode } from './health/sample.js';
import { MeshWatcher } from './mesh/mesh-watcher.js';
import { Renderer } from './mesh/renderer.js';
import { RuntimeSource } from './mesh/runtime-source.js';
import { Barriers } from './session/barrier.js';
import { Confirmation } from './session/confirmation.js';
import { Dialler } from './session/dialler.js';
import type { Command } from './session/link.js';
import { wirePhase, wireResult } from './words.js';

export interface AgentParts {
  config: AgentConfig;
  activator: Activator;
  units: UnitWatcher;
  /** Restarts a unit; without it a confd that lags is only told of. */
  restartUnit?(unit: string): Promise<void>;
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
  const turn = new Turn();
  const apps = new AppSupervisor({ node, appsDir, etcd, units, clock, log });
  const bootId = await activator.bootId();
  let healthIntervalMs: number = defaults.healthIntervalMs;
  let stopped = false;

  /** Empty when somebody switched by hand: then no revision says what runs. */
  async function runs(): Promise<{ revision: string; system: string }> {
    const [applied, system] = [await files.applied(), await activator.currentSystem()];
    return { revision: applied?.system === system ? applied.revision : '', system };
  }

  const dialler: Dialler = new Dialler({
    config,
    clock,
    log,
    hello: async () => ({
      protocolVersion: parts.protocolVersion ?? PROTOCOL_VERSION,
      agentVersion: version,
      bootId,
      ...(await runs()),
    }),
    onOpen: () => {
      applier.tellProgress();
      barriers.onOpen();
      confirmation.onOpen();
      const served = mesh.current();
      if (served) dialler.send({ $case: 'mesh', value: served });
      void sendHealth();
    },
    onCommand: (command) => onCommand(command),
  });
  const barriers = new Barriers((event) => dialler.send(event));
  const confirmation = new Confirmation(dialler);
  const subscriber = { node, services: config.services };
  const renderer = new Renderer({
    subscriber,
    configFile: config.haproxyConfig,
    etcd,
    clock,
    log,
    restartConfd: async () => parts.restartUnit?.('confd.service'),
    onChange: () => mesh.wake(),
  });
  const routes = new RuntimeSource({
    subscriber,
    etcd,
    onChange: () => mesh.wake(),
  });
  const mesh = new MeshWatcher({
    socketPath: config.haproxySocket,
    clock,
    log,
    onChange: (served) => dialler.send({ $case: 'mesh', value: served }),
    source: routes,
    warnings: () => renderer.warnings(),
    record: { file: config.haproxyConfig, loaded: config.haproxyLoaded, voucher: config.meshVoucher },
  });

  const report: Reporter = {
    progress: (revision, phase, message, order) =>
      dialler.send({ $case: 'progress', value: { revision, phase: wirePhase[phase], message, order } }),
    result: (result) => {
      // First what runs: whoever sees a result sees what it led to.
      void sendHealth()
        .catch((error: unknown) => log.warn({ err: error }, 'health could not be read'))
        .then(() => dialler.send({ $case: 'result', value: wireResult(result) }));
    },
  };
  const preparation = new Preparation({
    node,
    configDir,
    stateDir,
    activator,
    clock,
    log,
    fetch: (hashes) => dialler.fetch(hashes),
  });
  const gate = new MeshGate({
    apps,
    activator,
    clock,
    log,
    barrier: (order, name, instances, limitMs) => barriers.wait(order, name, instances, limitMs),
  });
  const prover = new Prover({ activator, apps, clock });
  const applier = new Applier({
    configDir,
    files,
    activator,
    apps,
    mesh: gate,
    preparation,
    prover,
    confirmation,
    turn,
    clock,
    log,
    report,
    onWaiting: () => preparer.giveWay(),
  });
  const preparer = new Preparer({
    activator,
    preparation,
    files,
    turn,
    clock,
    log,
    progress: (revision, phase, request) => report.progress(revision, phase, '', request),
    answer: (value) => dialler.send({ $case: 'prepared', value }),
  });

  function onCommand(command: Command): void {
    switch (command.$case) {
      case 'welcome':
        healthIntervalMs = command.value.healthIntervalMs || defaults.healthIntervalMs;
        return;
      case 'desired':
        applier.order(command.value);
        return;
      case 'prepare':
        preparer.prepare(command.value);
        return;
      case 'barrierReply':
        barriers.onReply(command.value);
        return;
      case 'confirm':
        confirmation.onConfirm(command.value);
        return;
    }
  }

  async function sendHealth(): Promise<void> {
    if (!dialler.connected) return;
    const [sample, failedUnits, running] = await Promise.all([
      sampleNode(),
      activator.failedUnits().catch(() => []),
      runs(),
    ]);
    const health = { ...sample, ...running, failedUnits, instances: apps.snapshot(), timeMs: clock.now() };
    dialler.send({ $case: 'health', value: health });
  }

  async function healthLoop(): Promise<void> {
    while (!stopped) {
      await sendHealth().catch((error: unknown) => log.warn({ err: error }, 'health could not be read'));
      // Bootstrap notes what it applied after the switch that started us: whoever waits for that shall not wait long.
      const noted = (await files.applied()) !== undefined;
      await clock.sleep(noted ? healthIntervalMs : Math.min(healthIntervalMs, defaults.unnotedMs));
    }
  }

  await preparer.recover();
  await applier.recover();
  await apps.start();
  routes.start();
  renderer.start();
  mesh.start();
  void dialler.run();
  void healthLoop();
  log.info({ node, version, controllers: config.controllers }, 'the agent is up');
  return {
    stop: async () => {
      stopped = true;
      applier.stop();
      mesh.stop();
      routes.stop();
      renderer.stop();
      dialler.stop();
      await apps.stop();
      etcd.close();
    },
  };
}
