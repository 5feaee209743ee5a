/** Labels and label selectors, grammar as Hetzner documents it. */
import { apiErrors } from '../api-error.js';
import type { Labels } from '../state.js';

export type LabelTest = (labels: Labels) => boolean;

const alphabet = '[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?';
const nameShape = new RegExp(`^${alphabet}$`);
const prefixShape = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const requirementShape =
  /^(!)?\s*([^\s=!(),]+)\s*(?:(==|=|!=)\s*([^\s=!(),]*)|\s(in|notin)\s*\(([^()]*)\))?$/;

/** Keys starting with it belong to the provider. */
const reservedPrefix = 'hetzner.cloud/';

/** Why the labels are not acceptable, or undefined when they are. */
export function labelsFault(labels: Labels): string | undefined {
  for (const [key, value] of Object.entries(labels)) {
    if (!isKey(key)) return `label key '${key.slice(0, 80)}' is not valid`;
    if (key.startsWith(reservedPrefix)) return `label prefix '${reservedPrefix}' is reserved`;
    if (value !== '' && !nameShape.test(value)) return `label value '${value.slice(0, 80)}' is not valid`;
  }
  return undefined;
}

/** Reads a selector; throws `invalid_input` on `label_selector` for one that is malformed. */
export function parseSelector(text: string): LabelTest {
  const tests = splitOutsideParentheses(text).map(parseRequirement);
  return (labels) => tests.every((test) => test(labels));
}

function parseRequirement(text: string): LabelTest {
  const match = requirementShape.exec(text.trim());
  const [, negation, key = '', operator, value = '', word, list = ''] = match ?? [];
  if (!match || !isKey(key) || (negation && (operator || word))) throw malformed(text);
  if (word) {
    const wanted = list.split(',').map((entry) => entry.trim());
    if (!wanted.every((entry) => nameShape.test(entry))) throw malformed(text);
    return (labels) => wanted.includes(labels[key] ?? '\0') === (word === 'in');
  }
  if (operator) {
    if (value !== '' && !nameShape.test(value)) throw malformed(text);
    return (labels) => (labels[key] === value) === (operator !== '!=');
  }
  return (labels) => key in labels !== Boolean(negation);
}

function isKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return nameShape.test(key);
  return prefixShape.test(key.slice(0, slash)) && nameShape.test(key.slice(slash + 1));
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let current = '';
  for (const char of text) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (char === ',' && depth === 0) {
      parts.push(current);
      current = '';
    } else current += char;
  }
  return [...parts, current];
}

function malformed(text: string) {
  return apiErrors.invalid([{ name: 'label_selector', messages: [`cannot read '${text.slice(0, 80)}'`] }]);
}
