/** The `nix-infra` command: what commands there are. Each loads what it needs only when it runs. */
import { Command, CommanderError } from 'commander';
import { clusterCommand } from './cluster.js';
import { setDebug } from './command.js';
import { deployCommand } from './deploy.js';
import { downCommand } from './down.js';
import { etcdCommand } from './etcd.js';
import { initCommand } from './init.js';
import { labCommand } from './lab.js';
import { rolloutCommand } from './rollout.js';
import { statusCommand } from './status.js';
import { upCommand } from './up.js';

/** The exit code of a wrong command line, as the predecessor's. */
const usageExit = 64;

const program = new Command('nix-infra')
  .description('A private, highly available PaaS on Hetzner Cloud or your own servers, with NixOS')
  .option('--debug', 'print where errors come from')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'ERROR: ')) })
  .showHelpAfterError('(see --help)')
  .hook('preAction', (root) => setDebug(Boolean(root.opts().debug)));
for (const command of [
  initCommand(),
  upCommand(),
  statusCommand(),
  deployCommand(),
  rolloutCommand(),
  downCommand(),
  clusterCommand(),
  etcdCommand(),
  labCommand(),
]) {
  program.addCommand(command.copyInheritedSettings(program));
}

/** Applied to every level: commander would end the process itself, with 1 for a wrong option. */
function throwing(command: Command): void {
  command.exitOverride();
  for (const sub of command.commands) throwing(sub.copyInheritedSettings(command));
}
throwing(program);

try {
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help, asked for or shown for want of a sub-command, is no mistake when it was asked for.
  process.exitCode = error.exitCode === 0 ? 0 : usageExit;
}

// The work is done. What is still open would only keep the caller waiting: a connection to a machine without power, which was given up
// long ago, keeps a process alive until the kernel stops trying, after two minutes.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))),
);
process.exit();
