/** The `.env` format of the predecessor: `KEY=VALUE`, quotes, comments, `$VAR`; the first occurrence of a key wins. */

export type Variables = Readonly<Record<string, string>>;

/** Reads the text of a .env file. `$NAME` and `${NAME}` are looked up in the file so far, then in `outer`. */
export function parseDotenv(
  text: string,
  outer: Readonly<Record<string, string | undefined>> = {},
): Variables {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/.exec(line);
    if (!match) continue;
    const [, key = '', raw = ''] = match;
    if (Object.hasOwn(found, key)) continue;
    found[key] = textOf(raw, (name) => found[name] ?? outer[name] ?? '');
  }
  return found;
}

function textOf(raw: string, lookUp: (name: string) => string): string {
  const trimmed = raw.trim();
  // A comment ends a line, but a line that ends in a quote is taken whole (the value may hold a '#').
  const value = /["']$/.test(trimmed) ? trimmed : trimmed.replace(/#.*$/, '').trim();
  const quoted = /^(["'])(.*)\1$/s.exec(value);
  if (quoted?.[1] === "'") return quoted[2] ?? '';
  return (quoted?.[2] ?? value).replace(
    /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g,
    (_whole, braced?: string, plain?: string) => lookUp(braced ?? plain ?? ''),
  );
}

/** The text with these variables added at its end; variables that it sets already stay as they are. */
export function withVariables(text: string, added: Variables): string {
  const present = parseDotenv(text);
  const lines = Object.entries(added)
    .filter(([key]) => !Object.hasOwn(present, key))
    .map(([key, value]) => `${key}=${value}`);
  if (lines.length === 0) return text;
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${start}${lines.join('\n')}\n`;
}
