/**
 * `mesh.cjs FILE LOADED SOCKET`: confd's question after it has written FILE. Exit code 0: the running haproxy serves it already. Anything
 * else: reload. Every failure is a reason to reload, so nothing is caught but to be told.
 */
import { readFileSync } from 'node:fs';
import { agentDefaults as defaults } from '../defaults.js';
import { ask } from './ask.js';
import { reloadReason } from './reload-check.js';
import { parseAnswer, question } from './show-stat.js';

async function main(): Promise<void> {
  const [file = '', loaded = '', socket = ''] = process.argv.slice(2);
  const deadline = performance.now() + defaults.runtimeGraceMs;
  for (;;) {
    const running = parseAnswer(await ask(socket, question, defaults.meshReadMs, defaults.meshReadBytes));
    const reason = reloadReason({
      file: readFileSync(file, 'utf8'),
      loaded: readFileSync(loaded, 'utf8'),
      running,
    });
    if (reason === undefined) return;
    // The agent may be about to change just that; a change of shape is not its work.
    if (reason !== 'other servers' || performance.now() >= deadline) throw new Error(reason);
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
