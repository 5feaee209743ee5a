/** `controller.cjs --config FILE`: the controller daemon. */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { Problem, renderProblem } from '../../shared/errors.js';
import { readConfig } from './config.js';
import { startController } from './server.js';

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (values.config === undefined) throw new Problem('usage', 'usage: controller.cjs --config FILE');
  // journald keeps and dates the lines.
  const log = pino({ base: null }, pino.destination({ fd: 1, sync: true }));
  const controller = await startController(readConfig(values.config), log);
  const stop = (signal: string) => {
    log.info({ signal }, 'shutting down');
    void controller.stop().finally(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  const problem = Problem.from(error);
  process.stderr.write(`${renderProblem(problem)}\n`);
  process.exit(problem.exitCode);
});
