/** What handlers may know besides the state and the request: settings, the time, and chance. */
import type { Network } from './network.js';

/** `compat` adds the fields and the data centers that the real API removed in 2026; `strict-2026-10` does not. */
export type Profile = 'compat' | 'strict-2026-10';

export interface World {
  profile: Profile;
  network: Network;
  /** Now, as RFC 3339 with offset. */
  now(): string;
  /** A fresh root password. */
  password(): string;
}
