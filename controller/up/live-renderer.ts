/** What a person at a terminal sees: one line per node of a rollout, drawn in place, and everything else as lines above. */
import type { RolloutView } from '../rollout/events.js';
import { type FrameSize, linesAbove, rolloutFrame } from '../rollout/render-rollout.js';
import type { Listener } from './events.js';
import { LiveArea } from './live-area.js';
import { type TerminalOptions, terminalLine } from './render.js';

export interface Screen {
  write(text: string): void;
  /** Asked at every frame: people change it. */
  size(): FrameSize;
}

export interface LiveOptions extends TerminalOptions {
  /** Unix ms. */
  now: () => number;
  /** Calls `draw` from time to time until the returned function is called: elapsed times move although nothing happens. */
  every: (draw: () => void) => () => void;
}

export function liveRenderer(screen: Screen, options: LiveOptions): Listener {
  const area = new LiveArea((text) => screen.write(text));
  const preparing = new Map<string, string>();
  let view: RolloutView | undefined;
  let stop: (() => void) | undefined;
  const draw = () => {
    if (view) area.draw(rolloutFrame(view, options.now(), screen.size()));
  };
  return (event) => {
    switch (event.type) {
      case 'planning': {
        preparing.set(event.node, event.message);
        const { columns, rows } = screen.size();
        const lines = [...preparing].map(([node, message]) => `   ${node.padEnd(14)} ${message}`);
        area.draw(lines.slice(-Math.max(1, rows - 2)).map((line) => oneLine(line).slice(0, columns - 1)));
        return;
      }
      case 'planned':
        area.erase();
        preparing.clear();
        break;
      case 'view':
        view = event.view;
        draw();
        stop ??= options.every(draw);
        return;
      case 'ended':
        stop?.();
        stop = undefined;
        draw();
        area.keep();
        view = undefined;
        break;
      default:
        break;
    }
    const line = terminalLine(event, options, linesAbove);
    if (line !== undefined) area.print(line);
  };
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
