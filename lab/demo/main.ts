/** `npm run demo`: the whole main job on one machine. Everything goes through the product's own commands; see steps.ts. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem, renderProblem } from '../../shared/errors.js';
import { demoProject } from '../cli.js';
import { commandRunner } from './command.js';
import { bringUp, downAndUp, makeProject, seeApp, startLab, updateUnderLoad } from './steps.js';
import { printSummary } from './summary.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const project = demoProject();
const say = (line: string) => console.log(line === '' ? '' : `  ${line}`);

const timings: [string, number][] = [];
async function phase<T>(name: string, run: () => Promise<T>): Promise<T> {
  console.log(`\n== ${name}`);
  const started = performance.now();
  const result = await run();
  timings.push([name, performance.now() - started]);
  return result;
}

async function demo(teardown: boolean): Promise<void> {
  const env = await phase('1 start the lab', () => startLab(root, say));
  const cluster = await phase('2 make a project', () => makeProject(root, project, env, say));
  await phase('3-5 servers, bootstrap, agents, first deploy', () => bringUp(cluster, say));
  const seen = await phase('6 the app answers from outside', () => seeApp(cluster));
  say(`${seen.url} answered by ${seen.answeredBy.join(' and ')}`);

  const version = `v${Date.now().toString(36)}`;
  const update = await phase(`7 staggered update to ${version} under load`, () =>
    updateUnderLoad(cluster, seen.url, version, say),
  );
  say(
    `${update.requests} requests, ${update.failed} failed, slowest ${update.slowest} ms; versions seen: ${update.versions.join(', ')}`,
  );
  for (const [cause, count] of Object.entries(update.causes)) say(`failed: ${count} x ${cause}`);

  const swing = await phase('8 one instance down and up again', () => downAndUp(cluster, seen.url));
  say(
    `left the load balancer after ${Math.round(swing.leftMs)} ms, back after ${Math.round(swing.rejoinedMs)} ms`,
  );
  say(`${swing.load.requests} requests meanwhile, ${swing.load.failed} failed`);
  for (const [cause, count] of Object.entries(swing.load.causes)) say(`failed: ${count} x ${cause}`);

  await phase('9 summary', () => printSummary(cluster, project, timings));
  if (teardown) {
    await phase('teardown', async () => {
      await cluster.run(['down', '--yes'], say);
      await commandRunner(root, root)(['lab', 'down'], say);
    });
  }
}

demo(process.argv.includes('--teardown')).catch((error: unknown) => {
  console.error(renderProblem(Problem.from(error)));
  process.exitCode = 1;
});
