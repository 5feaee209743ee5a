/** `agent.cjs --config FILE`: the agent daemon of a node. */
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { Problem, renderProblem } from '../shared/errors.js';
import { startAgent } from './agent.js';
import { systemClock } from './clock.js';
import { readConfig } from './config.js';
import { nixosActivator } from './system/nixos-activator.js';
import { restartUnit, systemdUnits } from './system/systemd.js';

/** Set by scripts/build.mjs from package.json. */
declare const __VERSION__: string;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (values.config === undefined) throw new Problem('usage', 'usage: agent.cjs --config FILE');
  // grpc-js has no option for this; it is the default of the whole process.
  tls.DEFAULT_MIN_VERSION = 'TLSv1.3';
  const log = pino({ base: null }, pino.destination({ fd: 1, sync: true }));
  const config = readConfig(values.config);
  const ssh = config.proveSsh && {
    authorizedKeysFile: config.sshKeysFile,
    hostKeys: '/etc/ssh',
    port: config.sshPort,
  };
  const activator = nixosActivator({
    stateDir: config.stateDir,
    clock: systemClock,
    ssh: ssh || undefined,
  });
  const version = typeof __VERSION__ === 'string' ? __VERSION__ : 'development';
  const agent = await startAgent({
    config,
    activator,
    units: systemdUnits,
    restartUnit,
    clock: systemClock,
    log,
    version,
  });
  const stop = (signal: string) => {
    log.info({ signal }, 'stopping; the apps stay registered until the lease ends');
    void agent.stop().finally(() => process.exit(0));
    // systemd would wait 90 s; a lost etcd must not hold up a restart.
    setTimeout(() => process.exit(0), 3_000).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  const problem = Problem.from(error);
  process.stderr.write(`${renderProblem(problem)}\n`);
  process.exit(problem.exitCode);
});
