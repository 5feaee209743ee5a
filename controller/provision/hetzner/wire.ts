/** The part of Hetzner's answers that we read, checked on arrival. Keys we do not read may come and go. */
import { z } from 'zod';

const id = z.int();
const labels = z.record(z.string(), z.string());

export const action = z.object({
  id,
  command: z.string(),
  status: z.enum(['running', 'success', 'error']),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
  resources: z.array(z.object({ id, type: z.string() })).default([]),
});
export type Action = z.infer<typeof action>;

export const server = z.object({
  id,
  name: z.string(),
  // Any text: a status that we do not know must not break the whole list.
  status: z.string(),
  labels,
  locked: z.boolean().default(false),
  public_net: z.object({ ipv4: z.object({ ip: z.string() }).nullish() }),
  server_type: z.object({ name: z.string() }),
  location: z.object({ name: z.string() }).nullish(),
});
export type WireServer = z.infer<typeof server>;

export const sshKey = z.object({ id, name: z.string(), public_key: z.string(), labels });
export const placementGroup = z.object({ id, name: z.string(), labels });
export const image = z.object({ id, created: z.string() });
export const serverType = z.object({ id, name: z.string(), architecture: z.string() });

export const created = z.object({ server, action, next_actions: z.array(action).default([]) });
export const withAction = z.object({ action });

/** Tells where a list ends; an answer without it is one page. */
export const paging = z.object({
  meta: z.object({ pagination: z.object({ next_page: z.int().nullish() }).nullish() }).nullish(),
});

export const failure = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.unknown() }),
});
