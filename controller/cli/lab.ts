/** `nix-infra lab …`: a cloud on this machine. Thin: what it does is in lab/cli.ts. */
import { Command } from 'commander';
import { action } from './command.js';

const verbs = {
  kill: 'cut the power of a server',
  heal: 'put the cable back and end every partition of a server',
  start: 'start a server that is off',
} as const;

export function labCommand(): Command {
  const lab = new Command('lab')
    .enablePositionalOptions()
    .description('a Hetzner-like cloud on this machine, to try everything without an account');
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  lab
    .command('up')
    .description('start the lab; the first time it builds the machine image')
    .action(
      action(async () => {
        await (await import('../../lab/cli.js')).labUp(say);
      }),
    );
  lab
    .command('down')
    .description('remove the lab with all its servers')
    .action(action(async () => (await import('../../lab/cli.js')).labDown(say)));
  lab
    .command('status')
    .description('show whether the lab runs, and its servers')
    .option('--json', 'as one JSON object')
    .action(
      action(async (_signal, options: { json?: boolean }) => {
        const servers = await (await import('../../lab/cli.js')).labServers();
        if (options.json) say(JSON.stringify({ servers }));
        else
          for (const { name, ipv4, status } of servers)
            say(`${name.padEnd(16)} ${ipv4.padEnd(16)} ${status}`);
      }),
    );
  lab
    .command('env')
    .description('print the variables that make a Hetzner client use the lab')
    .action(
      action(async () => {
        const env = await (await import('../../lab/cli.js')).labEnv();
        for (const [name, value] of Object.entries(env)) say(`${name}=${value}`);
      }),
    );
  lab
    .command('exec')
    .description('run a command in a server without SSH; ends with its exit code')
    .argument('<server>')
    .argument('<command...>')
    // Options after the server are the command's own.
    .allowUnknownOption()
    .action(
      action(async (_signal, server: string, command: string[]) => {
        const { code, stdout, stderr } = await (await import('../../lab/cli.js')).labExec(server, command);
        process.stdout.write(stdout);
        process.stderr.write(stderr);
        process.exitCode = code;
      }),
    );
  lab
    .command('cut')
    .description("pull a server's network cable, or cut it from some servers only; nobody is told")
    .argument('<server>')
    .option('--from <servers...>', 'servers that it can no longer talk to, nor they to it')
    .action(
      action(async (_signal, server: string, { from = [] }: { from?: string[] }) =>
        (await import('../../lab/cli.js')).labVerb('cut', server, from),
      ),
    );
  for (const [verb, description] of Object.entries(verbs) as [keyof typeof verbs, string][]) {
    lab
      .command(verb)
      .description(description)
      .argument('<server>')
      .action(
        action(async (_signal, server: string) => (await import('../../lab/cli.js')).labVerb(verb, server)),
      );
  }
  return lab;
}
