/** `nix-infra cluster …`: the commands of the predecessor, with its options and its output. */
import { Command } from 'commander';
import { Problem } from '../../shared/errors.js';
import type { Project } from '../project/folder.js';
import { action, type ProjectOptions, projectOf, rendererFor, withProjectOptions } from './command.js';

interface Options extends ProjectOptions {
  sshKey?: string;
  target?: string;
  ctrlNodes?: string;
  nodeNames?: string;
  nixosVersion?: string;
  machineType?: string;
  location?: string;
  clusterUuid?: string;
  serviceGroup?: string;
  rebuild?: boolean;
  force?: boolean;
  output?: string;
  verbose?: boolean;
}

type Work = (project: Project, options: Options, signal: AbortSignal, words: string[]) => Promise<void>;

export function clusterCommand(): Command {
  const cluster = withProjectOptions(new Command('cluster'))
    .description('the step-by-step road: one command per step')
    .option('--ssh-key <name>', 'name of the key in ssh/ (default: SSH_KEY)')
    .configureHelp({ showGlobalOptions: true });
  const target = '--target <nodes>';

  add(cluster, 'provision', 'make servers', provision)
    .requiredOption('--node-names <nodes>', 'names, separated by spaces; they must stand in cluster.yaml')
    .option('--machine-type <type>', 'instead of the type in cluster.yaml')
    .option('--location <location>', 'instead of the location in cluster.yaml')
    .option('--placement-group <name>', 'accepted; cluster.yaml says whether there is one');
  add(cluster, 'init-ctrl', 'turn servers into control nodes', initNodes)
    .requiredOption(target, 'the control nodes')
    .option('--cluster-uuid <uuid>', 'etcd cluster token of a new cluster (default: a random one)');
  add(cluster, 'init-node', 'turn servers into cluster or ingress nodes', initNodes)
    .requiredOption(target, 'the nodes')
    .option('--node-module <file>', 'accepted; the kind of a node in cluster.yaml says which')
    .option('--service-group <groups>', 'checked against cluster.yaml')
    .option('--ctrl-nodes <nodes>', 'accepted; cluster.yaml says which');
  add(cluster, 'update-node', 'bring the files of nodes up to date', updateNodes)
    .requiredOption(target, 'the nodes')
    .option('--node-module <file>', 'accepted; the kind of a node in cluster.yaml says which')
    .option('--ctrl-nodes <nodes>', 'accepted; cluster.yaml says which')
    .option('--rebuild', 'apply them too')
    .option('--no-rebuild', 'leave them in /etc/nixos for a later rebuild (default)');
  add(cluster, 'deploy-apps', 'bring apps and the files of nodes up to date', updateNodes)
    .requiredOption(target, 'the nodes')
    .option('--rebuild', 'apply them too')
    .option('--no-rebuild', 'leave them in /etc/nixos for a later rebuild (default)');
  add(cluster, 'destroy', 'take nodes out of the cluster and delete their servers', destroy)
    .requiredOption(target, 'the nodes')
    .option('--ctrl-nodes <nodes>', 'accepted; cluster.yaml says which');
  add(
    cluster,
    'replace-node',
    'make a node that is lost anew: a new server of its name, its data from the cluster',
    replaceNode,
  )
    .argument('[node]', 'the node')
    .option(target, 'the node')
    .option('--force', 'also a node that lives')
    .option('-o, --output <format>', 'text, or json for one event per line')
    .option('-v, --verbose', 'show the output of builds');
  add(cluster, 'cmd', 'run a command on nodes; exits 0 whatever the command does', cmd)
    .argument('[words...]', 'the command')
    .requiredOption(target, 'the nodes');
  add(cluster, 'ssh', 'open a shell on a node', ssh).requiredOption(target, 'the node');
  add(cluster, 'etcd', 'run etcdctl on a control node, or list: a key prefix, nodes, services, …', etcd)
    .argument(
      '[words...]',
      'nodes | services | backends | frontends | network | /prefix | [ctl] arguments of etcdctl',
    )
    .option(target, 'the control node (default: --ctrl-nodes, else the first of cluster.yaml)')
    .option('--ctrl-nodes <nodes>', 'as --target');
  return cluster;
}

function add(parent: Command, name: string, description: string, work: Work): Command {
  const command = parent
    .command(name)
    .description(description)
    .option('--batch', 'accepted; these commands never ask')
    .option('--nixos-version <version>', 'instead of the version in cluster.yaml');
  return command.action(
    action(async (signal) => {
      const options = command.optsWithGlobals<Options>();
      await work(overridden(await projectOf(options), options), options, signal, command.args);
    }, 'stdout'),
  );
}

/** Options stand above cluster.yaml and .env. */
function overridden(project: Project, options: Options): Project {
  const { nixosVersion, machineType, location, sshKey } = options;
  const nodes = project.config.nodes.map((node) => ({
    ...node,
    type: machineType ?? node.type,
    location: location ?? node.location,
  }));
  const env = sshKey ? { ...project.env, SSH_KEY: sshKey } : project.env;
  return {
    ...project,
    env,
    config: { ...project.config, nodes, nixos: nixosVersion ?? project.config.nixos },
  };
}

function wordsIn(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

/** Names in one word, separated by spaces; at least one. */
export function namesIn(text: string | undefined): string[] {
  const names = wordsIn(text);
  if (names.length === 0) throw new Problem('usage', 'No node is named');
  return names;
}

const provision: Work = async (project, options, signal) => {
  const steps = await import('../up/cluster-steps.js');
  await steps.provision(project, namesIn(options.nodeNames), {
    signal,
    listener: await rendererFor(undefined, false),
  });
};

const initNodes: Work = async (project, options, signal) => {
  const steps = await import('../up/cluster-steps.js');
  const names = namesIn(options.target);
  warnOfGroups(project, names, options.serviceGroup);
  const listener = await rendererFor(undefined, false);
  await steps.bootstrap(project, names, { signal, listener, uuid: options.clusterUuid });
};

const updateNodes: Work = async (project, options, signal) => {
  const steps = await import('../up/cluster-steps.js');
  const listener = await rendererFor(undefined, false);
  await steps.updateNodes(project, namesIn(options.target), {
    signal,
    listener,
    rebuild: options.rebuild ?? false,
  });
};

const destroy: Work = async (project, options, signal) => {
  const steps = await import('../up/cluster-steps.js');
  const warn = (line: string) => void process.stderr.write(`${line}\n`);
  const listener = await rendererFor(undefined, false);
  await steps.destroy(project, namesIn(options.target), { signal, listener, warn });
};

const replaceNode: Work = async (project, options, signal, words) => {
  const [name, ...more] = [...words, ...wordsIn(options.target)];
  if (name === undefined || more.length > 0) throw new Problem('usage', 'Name the one node to replace');
  const { replaceNode: replace } = await import('../up/replace.js');
  const listener = await rendererFor(options.output, options.verbose ?? false);
  await replace(project, name, { signal, listener, force: options.force ?? false });
};

const cmd: Work = async (project, options, _signal, words) => {
  const { prefixed, runOnNodes } = await import('../up/remote.js');
  const outputs = await runOnNodes(project, namesIn(options.target), words.join(' '));
  for (const output of outputs) process.stdout.write(prefixed(output));
};

const ssh: Work = async (project, options) => {
  const { openShell } = await import('../up/remote.js');
  process.exitCode = await openShell(project, namesIn(options.target)[0] ?? '');
};

const etcd: Work = async (project, options, _signal, words) => {
  const { etcdCommand, prefixed, runOnNodes } = await import('../up/remote.js');
  const first = project.config.nodes.find(({ kind }) => kind === 'control')?.name;
  const [node = ''] = namesIn(options.target ?? options.ctrlNodes ?? first);
  const outputs = await runOnNodes(project, [node], etcdCommand(node, words));
  // The predecessor prints both of its prefixes here, and its scripts look for that.
  for (const output of outputs) process.stdout.write(prefixed(output).replace(/^(?=.)/gm, '- '));
};

/** cluster.yaml rules; a script that says something else should know. */
function warnOfGroups(project: Project, names: readonly string[], given: string | undefined): void {
  if (given === undefined) return;
  const wanted = wordsIn(given).sort().join(' ');
  for (const { name, services } of project.config.nodes.filter((node) => names.includes(node.name))) {
    const written = [...services].sort().join(' ');
    if (written !== wanted) {
      process.stderr.write(
        `WARNING: ${name} has the groups "${written}" in cluster.yaml, which count, not "${wanted}"\n`,
      );
    }
  }
}
