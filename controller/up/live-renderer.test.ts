import { describe, expect, it } from 'vitest';
import { sampleNode, sampleRollout } from '../rollout/testing/sample-rollout.js';
import { liveRenderer } from './live-renderer.js';

/** Understands as much of a terminal as the renderer uses: lines, up, start of line, clear to the end of line and screen. */
class Terminal {
  readonly lines: string[] = [];
  private row = 0;

  write(text: string): void {
    for (const part of text.split(/(\p{Cc}\[\d*[A-Z]|\n|\r)/u).filter(Boolean)) {
      const control = /^\p{Cc}\[(\d*)([A-Z])$/u.exec(part);
      if (part === '\n') this.row += 1;
      else if (part === '\r') continue;
      else if (control?.[2] === 'A') this.row -= Number(control[1]);
      else if (control?.[2] === 'J') this.lines.length = Math.min(this.lines.length, this.row);
      else if (control?.[2] !== 'K') this.lines[this.row] = part;
      if (this.row < 0) throw new Error('above the first line');
    }
  }
}

function setUp(rows = 24) {
  const terminal = new Terminal();
  let now = 3_000;
  let draw: (() => void) | undefined;
  const listener = liveRenderer(
    { write: (text) => terminal.write(text), size: () => ({ columns: 80, rows }) },
    {
      verbose: false,
      now: () => now,
      every: (redraw) => {
        draw = redraw;
        return () => {
          draw = undefined;
        };
      },
    },
  );
  const later = (ms: number) => {
    now = ms;
    draw?.();
  };
  return { terminal, listener, later, ticking: () => draw !== undefined };
}

const rollout = sampleRollout(
  [sampleNode('one', { state: 'ordered', orderedMs: 2_000 }), sampleNode('two')],
  {
    state: 'running',
    startedMs: 2_000,
  },
);
const view = { rollout, nodes: [], leader: 'etcd001' };

describe('the live view of a rollout', () => {
  it('replaces what nodes prepare by the plan', () => {
    const { terminal, listener } = setUp();
    listener({ type: 'planning', node: 'one', message: 'fetching' });
    listener({ type: 'planning', node: 'two', message: 'building\nmore' });
    listener({ type: 'planning', node: 'one', message: 'building' });
    expect(terminal.lines).toEqual(['   one            building', '   two            building more']);
    listener({ type: 'planned', rollout: sampleRollout([]) });
    expect(terminal.lines).toEqual(['nothing to deploy: every node runs its revision']);
  });

  it('draws one line per node in place, with the time that passes', () => {
    const { terminal, listener, later } = setUp();
    listener({ type: 'view', view });
    listener({ type: 'wave-started', wave: 1, waves: 1, nodes: ['one', 'two'] });
    expect(terminal.lines).toHaveLength(4);
    later(7_000);
    expect(terminal.lines).toHaveLength(4);
    expect(terminal.lines[0]).toContain('led by etcd001  5.0s');
    expect(terminal.lines[2]).toMatch(/one +moving/);
  });

  it('puts what else happens above, and leaves the last frame', () => {
    const { terminal, listener, ticking } = setUp();
    listener({ type: 'view', view });
    listener({ type: 'leader-changed', leader: 'etcd002', before: 'etcd001' });
    expect(terminal.lines[0]).toContain('etcd002 leads now');
    expect(terminal.lines[1]).toContain('rollout r-');
    expect(ticking()).toBe(true);
    const end = { ...rollout, state: 'succeeded' as const, endedMs: 9_000 };
    listener({ type: 'view', view: { ...view, rollout: end } });
    listener({
      type: 'ended',
      rollout: rollout.id,
      state: 'succeeded',
      elapsedMs: 7_000,
      counts: { moved: 2 },
    });
    expect(ticking()).toBe(false);
    expect(terminal.lines).toHaveLength(6);
    expect(terminal.lines[5]).toBe(`rollout ${rollout.id} succeeded after 7.0s: 2 moved`);
  });

  it('shows the phases of `up` as lines', () => {
    const { terminal, listener } = setUp();
    listener({ type: 'phase-started', phase: 'ssh', nodes: ['one'] });
    listener({ type: 'view', view });
    expect(terminal.lines[0]).toBe('== ssh (1)');
  });
});
