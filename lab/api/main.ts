/** `node lab-api.js OPTIONS.json`: the lab's cloud API as a process, over nspawn machines or over none at all. */
import { z } from 'zod';
import { Problem, renderProblem } from '../../shared/errors.js';
import { createMemoryDriver } from '../machines/memory-driver.js';
import { labNetwork } from '../machines/network.js';
import { createNspawnDriver } from '../machines/nspawn-driver.js';
import { type DriverFactory, runDaemon } from './daemon.js';

const nspawnSettings = z.strictObject({
  kind: z.literal('nspawn'),
  /** Layers of each image, as `ensureImages` gives them; `nixos` and `debian` are what the catalogue asks for. */
  images: z.record(z.string(), z.array(z.string())),
  /** Folder of machines and snapshots; default that of the driver. */
  dir: z.string().optional(),
});

const drivers: Readonly<Record<string, DriverFactory>> = {
  nspawn: (settings, network) => {
    const parsed = nspawnSettings.safeParse(settings);
    if (!parsed.success) {
      throw new Problem('lab.failed', 'The driver settings of the lab API are not right', {
        reason: z.prettifyError(parsed.error),
      });
    }
    const { images, dir } = parsed.data;
    return createNspawnDriver({
      images,
      network: labNetwork(network.cidr),
      ...(dir === undefined ? {} : { dir }),
    });
  },
  // Servers that exist on paper only, for trying a client without root. They do not outlive the process.
  memory: () => createMemoryDriver(),
};

const [optionsFile] = process.argv.slice(2);
try {
  if (optionsFile === undefined) {
    throw new Problem('usage', 'The lab API needs the path of its options file');
  }
  await runDaemon(optionsFile, drivers);
} catch (error) {
  const problem = Problem.from(error);
  process.stderr.write(`${renderProblem(problem)}\n`);
  process.exitCode = problem.exitCode;
}
