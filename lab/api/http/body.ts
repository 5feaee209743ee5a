/** Checks request bodies with zod and turns its findings into the API's field errors. */
import { z } from 'zod';
import { apiErrors } from '../api-error.js';
import { labelsFault } from './label-selector.js';

/** Reads a body; unknown keys are ignored, as the real API does and old clients rely on. */
export function readBody<T>(schema: z.ZodType<T>, body: object): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = new Map<string, string[]>();
  for (const issue of result.error.issues) {
    const name = String(issue.path[0] ?? 'body');
    fields.set(name, [...(fields.get(name) ?? []), issue.message]);
  }
  throw apiErrors.invalid([...fields].map(([name, messages]) => ({ name, messages })));
}

export const labelsField = z.record(z.string(), z.string()).superRefine((labels, context) => {
  const fault = labelsFault(labels);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

/** Name of anything but a server. */
export const nameField = z.string().trim().min(1, 'must not be empty').max(128, 'is too long');

/** RFC 1123 host name: it becomes the machine's host name. */
export const hostNameField = z
  .string()
  .max(253, 'is too long')
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
    'is not a valid host name',
  );

/** Where the API takes an id or a name; ids also come as numeric strings. */
export const idOrNameField = z.union([z.int(), z.string().min(1)]);

/** Finds by id, numeric string or name. */
export function byIdOrName<T extends { id: number; name: string | null }>(
  items: readonly T[],
  wanted: number | string,
): T | undefined {
  const id = typeof wanted === 'number' || /^\d+$/.test(wanted) ? Number(wanted) : undefined;
  return items.find((item) => (id === undefined ? item.name === wanted : item.id === id));
}
