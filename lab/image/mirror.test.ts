import { describe, expect, it } from 'vitest';
import { pickMirror } from './mirror.js';

describe('pickMirror', () => {
  it.each([
    ['the archive by its origin', 'http://a.test/x/ bookworm Debian\n', 'http://a.test/x'],
    [
      'not the security archive',
      'http://s.test/debian-security/ bookworm-security Debian\nhttp://a.test/d/ bookworm Debian',
      'http://a.test/d',
    ],
    [
      'not a third party',
      'https://n.test/node nodistro .\nhttp://a.test/d/ trixie Debian',
      'http://a.test/d',
    ],
    [
      'by its path before the first update',
      'https://n.test/node nodistro \nhttp://a.test/debian/ trixie ',
      'http://a.test/debian',
    ],
    ['nothing on another distribution', 'http://u.test/ubuntu/ noble Ubuntu', undefined],
    ['nothing without targets', '', undefined],
  ])('takes %s', (_what, targets, expected) => {
    expect(pickMirror(targets)).toBe(expected);
  });
});
