import { resolve } from 'node:path';
import { Command } from 'commander';
import { action } from './command.js';

interface Options {
  workingDir: string;
  env?: string;
  sshKey?: string;
  sshEmail?: string;
  certAuth: boolean;
}

export function initCommand(): Command {
  return new Command('init')
    .description('make a project folder: template, .env with new passwords, SSH key, certificate authority')
    .option('-d, --working-dir <dir>', 'the project folder', '.')
    .option(
      '--env <file>',
      'the .env file, relative to the current directory (default: .env in the project folder)',
    )
    .option('--ssh-key <name>', 'name of the key in ssh/ (default: SSH_KEY, else nixinfra)')
    .option('--ssh-email <address>', 'comment of the key')
    .option('--batch', 'accepted for scripts of the predecessor; nothing is ever asked')
    .option('--no-cert-auth', 'leave the certificate authority away')
    .action(
      action(async (_signal, options: Options) => {
        const { initProject } = await import('../project/init.js');
        await initProject({
          dir: resolve(options.workingDir),
          envFile: options.env === undefined ? undefined : resolve(options.env),
          sshKey: options.sshKey,
          sshEmail: options.sshEmail,
          certificates: options.certAuth,
          report: (line) => process.stdout.write(`- ${line}\n`),
        });
      }, 'stdout'),
    );
}
