import { describe, expect, it } from 'vitest';
import { flag, parseUnit, values } from '#switch/unit-file';

describe('parseUnit', () => {
  it('collects repeated settings over repeated sections', () => {
    const unit = parseUnit('[Unit]\nAfter=a\n[Service]\nExecStart=x\n[Unit]\nAfter=b\n');
    expect(values(unit, 'Unit', 'After')).toEqual(['a', 'b']);
  });
  it('knows comments, continuation lines and blanks around =', () => {
    const unit = parseUnit('# c\n; d\n[Service]\nExecStart = a \\\n  b=c\n');
    expect(values(unit, 'Service', 'ExecStart')).toEqual(['a    b=c']);
  });
  it('lets a drop-in add, and take back with an empty value', () => {
    const text = '[Service]\nExecStart=a\nUser=u\n';
    expect(values(parseUnit(text, '[Service]\nExecStart=\nExecStart=b\n'), 'Service', 'ExecStart')).toEqual([
      'b',
    ]);
    expect(values(parseUnit(text, '[Service]\nUser=v\n'), 'Service', 'User')).toEqual(['u', 'v']);
  });
  it.each([
    ['yes', true],
    ['1', true],
    ['On', true],
    ['false', false],
    ['', false],
  ])('reads the flag %j as %s', (text, expected) => {
    expect(flag(parseUnit(`[Unit]\nX=${text}\n`), 'Unit', 'X', !expected)).toBe(expected);
  });
});
