import { describe, expect, it } from 'vitest';
import { errorCatalogue } from './error-catalogue.js';
import { Problem, renderProblem } from './errors.js';

describe('Problem', () => {
  it('takes exit code and advice from the catalogue', () => {
    const problem = new Problem('provider.auth', 'refused');
    expect(problem.exitCode).toBe(1);
    expect(problem.next).toBe(errorCatalogue['provider.auth'].next);
  });

  it('renders what, where, why, log and next step', () => {
    const problem = new Problem('apply.rejected', 'does not evaluate', {
      node: 'worker001',
      where: 'nodes/worker001.nix:3',
      reason: 'unknown option',
      log: ['error: …'],
    });
    expect(renderProblem(problem).split('\n')).toEqual([
      'ERROR: does not evaluate [apply.rejected]',
      '  node:  worker001',
      '  where: nodes/worker001.nix:3',
      '  cause: unknown option',
      '  log:',
      '    | error: …',
      `  next:  ${errorCatalogue['apply.rejected'].next}`,
    ]);
  });

  it('keeps a problem that is already one, and wraps anything else with its cause', () => {
    const inner = new Problem('usage', 'x');
    expect(Problem.from(inner, 'internal')).toBe(inner);
    const wrapped = Problem.from(new Error('boom'), 'ssh.failed', { node: 'a' });
    expect(wrapped).toMatchObject({ code: 'ssh.failed', reason: 'boom', node: 'a' });
    expect(wrapped.cause).toBeInstanceOf(Error);
  });
});
