/**
 * Pure: a JSON object as the mesh reads it. What is JSON is said by JSON.parse; what it says is taken as it is written, so that confd's
 * template, which knows no JSON, reads the same (nixos/modules/haproxy/mesh.cfg.tmpl).
 */

/** Largest value, bytes, and deepest nesting that the mesh reads: far above what an app declares, and cheap to refuse. */
export const readLimits = { bytes: 16_384, depth: 32 } as const;

export interface RawField {
  /** Keys from the outside in, joined by `/`; a list adds nothing. */
  path: string;
  /** Containers around it, outermost first: `o` object, `l` list. */
  around: string;
  kind: 'text' | 'plain' | 'object' | 'list';
  /** As it is written, without the quotes; empty for an object or a list. */
  raw: string;
}

const token = /"((?:[^"\\]|\\.)*)"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/**
 * Every value below the top, in the order it is written; a key that is written twice appears twice, and the last one counts. Undefined
 * when the value is not a JSON object, or beyond the limits.
 */
export function rawFields(value: Buffer): RawField[] | undefined {
  if (value.length > readLimits.bytes) return undefined;
  const text = value.toString();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  } catch {
    return undefined;
  }
  const fields: RawField[] = [];
  let around = '';
  const keys: string[] = [];
  let isKey = false;
  const add = (kind: RawField['kind'], raw: string) => {
    if (around !== '') fields.push({ path: keys.join('/'), around, kind, raw });
  };
  for (const match of text.matchAll(token)) {
    const [whole, string] = match;
    if (string !== undefined && isKey) {
      keys[keys.length - 1] = string;
      isKey = false;
    } else if (string !== undefined) {
      add('text', string);
    } else if (whole === '{' || whole === '[') {
      add(whole === '{' ? 'object' : 'list', '');
      around += whole === '{' ? 'o' : 'l';
      if (around.length > readLimits.depth) return undefined;
      if (whole === '{') keys.push('');
      isKey = whole === '{';
    } else if (whole === '}' || whole === ']') {
      around = around.slice(0, -1);
      if (whole === '}') keys.pop();
      isKey = false;
    } else if (whole === ',') {
      isKey = around.endsWith('o');
    } else if (whole !== ':') {
      add('plain', whole);
    }
  }
  return fields;
}
