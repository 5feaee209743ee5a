/** `[%%KEY%%]` in Nix files of the project. Unlike the predecessor, an unknown key is an error and not left in the file. */
import { Problem } from '../../shared/errors.js';

/** Key to text; a key with the value undefined is known, but has no value on this node. */
export type PlaceholderValues = Readonly<Record<string, string | undefined>>;

const pattern = /\[%%(.*?)%%\]/g;

/** Replaces every placeholder; throws `project.placeholder` with `file:line` for one that has no value. */
export function replacePlaceholders(text: string, file: string, values: PlaceholderValues): string {
  return text
    .split('\n')
    .map((line, index) =>
      line.replace(pattern, (_whole, key: string) => {
        const value = Object.hasOwn(values, key) ? values[key] : undefined;
        if (value !== undefined) return value;
        throw new Problem('project.placeholder', `The placeholder [%%${key}%%] has no value`, {
          where: `${file}:${index + 1}`,
          reason: reasonFor(key, values),
        });
      }),
    )
    .join('\n');
}

function reasonFor(key: string, values: PlaceholderValues): string {
  if (/^(pre-build-)?secrets\//.test(key)) return 'secrets are not deployed by this version of nix-infra';
  if (Object.hasOwn(values, key))
    return 'it is known, but not on this node (control nodes have no overlay address)';
  const known = Object.keys(values).sort();
  const near = known.filter((name) => name.split('.')[1] === key.split('.')[1]);
  return `known ones are ${(near.length > 0 ? near : known).slice(0, 12).join(', ')}`;
}
