/** Finds the line of a value or key in a YAML document, so that an error can point at it. */
import { type Document, isMap, isScalar, type LineCounter } from 'yaml';

type Path = readonly PropertyKey[];

/** Line (from 1) of the value at `path`; of its nearest ancestor that exists when it does not. */
export function lineOf(document: Document, counter: LineCounter, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const offset = keyOffset(document, path.slice(0, length)) ?? valueOffset(document, path.slice(0, length));
    if (offset !== undefined) return counter.linePos(offset).line;
  }
  return 1;
}

function keyOffset(document: Document, path: Path): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === path.at(-1));
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}

function valueOffset(document: Document, path: Path): number | undefined {
  const value = document.getIn(path, true) as { range?: [number, number, number] | null } | undefined;
  return value?.range?.[0];
}
