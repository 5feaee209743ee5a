/**
 * `mesh.cjs FILE LOADED SOCKET VOUCHER`: confd's question after it has written FILE. Exit code 0: the running haproxy serves it already. Anything
 * else: reload. Every failure is a reason to reload, so nothing is caught but to be told.
 */
import { readFileSync } from 'node:fs';
import { agentDefaults as defaults } from '../defaults.js';
import { ask } from './ask.js';
import { otherServers, reloadReason } from './reload-check.js';
import { stampOf } from './served-record.js';
import { readVoucher } from './served-voucher.js';
import { parseAnswer, question } from './show-stat.js';

async function main(): Promise<void> {
  const [file = '', loaded = '', socket = '', voucher = ''] = process.argv.slice(2);
  const deadline = performance.now() + defaults.runtimeGraceMs;
  for (;;) {
    const facts = {
      file: readFileSync(file, 'utf8'),
      stamp: stampOf(file),
      loaded: readFileSync(loaded, 'utf8'),
      voucher: readVoucher(voucher),
    };
    const running = parseAnswer(await ask(socket, question, defaults.meshReadMs, defaults.meshReadBytes));
    const reason = reloadReason({ ...facts, running });
    if (reason === undefined) return;
    // The agent may be about to change just that, or to say that it knows better; a change of shape is not its work.
    if (reason !== otherServers || performance.now() >= deadline) throw new Error(reason);
    await new Promise((resolve) => {
      setTimeout(resolve, defaults.runtimeGracePollMs);
    });
  }
}

main().then(
  () => console.log('haproxy serves this already: no reload'),
  (error: unknown) => {
    console.log(`reload: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  },
);
