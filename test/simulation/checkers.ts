/** Everything that must hold, whatever happened. */
import { capacityChecker } from './check-capacity.js';
import { fencingChecker, journalChecker, lockChecker } from './check-journal.js';
import { onceChecker } from './check-once.js';
import { truthChecker } from './check-truth.js';
import type { Content } from './content.js';
import type { Checker } from './history.js';
import type { Scenario } from './scenario.js';

export function checkersOf(scenario: Scenario, content: Content): Checker[] {
  return [
    journalChecker(),
    lockChecker(),
    fencingChecker(),
    onceChecker(),
    capacityChecker(scenario, content),
    truthChecker(),
  ];
}
