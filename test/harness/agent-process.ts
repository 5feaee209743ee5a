/** Entry of an agent as a child process: the product's agent with the recording activator. Arguments: config file, record folder, protocol version. */
import { pino } from 'pino';
import { startAgent } from '../../agent/agent.js';
import { systemClock } from '../../agent/clock.js';
import { readConfig } from '../../agent/config.js';
import { recordingActivator, recordingUnits } from './recording-activator.js';

const [configFile = '', recordDir = '', protocolVersion] = process.argv.slice(2);
startAgent({
  config: readConfig(configFile),
  activator: recordingActivator(recordDir),
  units: recordingUnits(recordDir),
  clock: systemClock,
  log: pino({ base: null }, pino.destination({ fd: 1, sync: true })),
  version: 'harness',
  ...(protocolVersion !== undefined && { protocolVersion: Number(protocolVersion) }),
}).then(
  (agent) => process.once('SIGTERM', () => void agent.stop().finally(() => process.exit(0))),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
