/**
 * Hears from systemd which units change, over the socket that systemctl uses: systemd tells everybody there of every change. What it does
 * not tell (while we connect, or after it executed itself anew) the slow look at all units finds; without the socket it is a quick one.
 */
import { connect, type Socket } from 'node:net';
import type { UnitFeed } from '../apply/activator.js';
import { agentDefaults as defaults } from '../defaults.js';
import { messageLength, signalOf, unitOfPath } from './dbus-message.js';

export const systemdSocket = '/run/systemd/private';

/** Calls back with each unit that may have changed, and with undefined when the connection came or went. */
export function unitSignals(path: string, onChange: (unit: string | undefined) => void): UnitFeed {
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let live = false;
  let closed = false;

  function setLive(now: boolean): void {
    if (live === now || closed) return;
    live = now;
    onChange(undefined);
  }

  function open(): void {
    const mine = connect(path);
    socket = mine;
    let rest: Buffer = Buffer.alloc(0);
    let authenticated = false;
    mine.once('connect', () => {
      const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
      mine.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    });
    mine.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      try {
        if (!authenticated) {
          const end = rest.indexOf('\r\n');
          if (end < 0) return;
          if (!rest.toString('latin1', 0, end).startsWith('OK '))
            throw new Error('systemd does not let us in');
          rest = rest.subarray(end + 2);
          authenticated = true;
          mine.write('BEGIN\r\n');
          setLive(true);
        }
        for (;;) {
          const length = messageLength(rest);
          if (length === undefined || rest.length < length) return;
          const signal = signalOf(rest.subarray(0, length));
          rest = rest.subarray(length);
          const unit = signal?.member === 'PropertiesChanged' ? unitOfPath(signal.path) : undefined;
          if (unit !== undefined) onChange(unit);
        }
      } catch {
        mine.destroy();
      }
    });
    mine.on('error', () => mine.destroy());
    mine.once('close', () => {
      setLive(false);
      if (!closed) timer = setTimeout(open, defaults.unitFeedRetryMs);
    });
  }

  open();
  return {
    live: () => live,
    close: () => {
      closed = true;
      clearTimeout(timer);
      socket?.destroy();
    },
  };
}
