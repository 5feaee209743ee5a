/** The lab's cloud API as one thing to start and stop: state file, runner and HTTP listener around a machine driver. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Problem } from '../../shared/errors.js';
import type { MachineDriver } from '../machines/driver.js';
import { labApiDefaults } from './defaults.js';
import { answer } from './http/listener.js';
import { type RateLimit, RateLimiter } from './http/rate-limit.js';
import { checkedNetwork, type Network } from './network.js';
import { Runner } from './runner/runner.js';
import { emptyState, type LabState, type Project } from './state.js';
import { Store } from './store.js';
import type { Profile, World } from './world.js';

export interface LabApiOptions {
  driver: MachineDriver;
  /** JSON file that holds everything; made with mode 0600 when it is not there. */
  stateFile: string;
  /** Address to listen on; default 127.0.0.1. */
  host?: string;
  /** TCP port; 0 takes a free one. */
  port: number;
  /** Token of the default project, 64 letters and digits; default: the one in the state file, else a new one. */
  token?: string;
  /** Default `compat`. */
  profile?: Profile;
  /** Default 10.77.0.0/24 from host 11 on. */
  network?: Network;
  /** Servers the default project may have; default labApiDefaults.serverLimit. */
  serverLimit?: number;
  /** Further projects with their tokens. */
  projects?: readonly Project[];
  /** Default Hetzner's. */
  rateLimit?: RateLimit;
  /** Told of driver failures and of defects; default: nobody. */
  onFailure?: (what: string, error: unknown) => void;
}

export interface LabApi {
  /** Base URL with `/v1`, as HCLOUD_ENDPOINT wants it. */
  url: string;
  token: string;
  /** Stops listening, lets the driver call under way end, and leaves machines as they are. */
  close(): Promise<void>;
}

/** Name of the project that the lab's own token belongs to. */
export const defaultProject = 'default';

/** Starts the API. Throws `lab.failed` for a bad option, an unreadable state file or a port in use. */
export async function startLabApi(options: LabApiOptions): Promise<LabApi> {
  const network = checkedNetwork(options.network ?? { cidr: '10.77.0.0/24', firstHost: 11 });
  const store = Store.open(options.stateFile, () => emptyState([]));
  store.commit(withProjects(store.state, options));
  const onFailure = options.onFailure ?? (() => undefined);
  const now = () => new Date().toISOString().replace(/\.\d+Z$/, '+00:00');
  const world: World = { profile: options.profile ?? 'compat', network, now, password: () => randomText(20) };
  const runner = new Runner({ store, driver: options.driver, now, onFailure });
  const limiter = new RateLimiter(
    options.rateLimit ?? {
      limit: labApiDefaults.rateLimit,
      refillPerSecond: labApiDefaults.rateRefillPerSecond,
    },
  );
  const http = createServer((request, response) => {
    answer({ store, runner, world, limiter, onFailure }, request, response).catch((error: unknown) =>
      onFailure('an answer', error),
    );
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    http.once('error', (error) =>
      reject(
        new Problem('lab.failed', `The lab API cannot listen on ${host}:${options.port}`, {
          cause: error,
          reason: error.message,
        }),
      ),
    );
    http.listen(options.port, host, resolve);
  });
  await runner.resume();
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://${host}:${port}/v1`,
    token: tokenOf(store.state),
    close: async () => {
      const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      await stopped;
      await runner.close();
    },
  };
}

/** The state with the projects that the options ask for; what the file already knows stays. */
function withProjects(state: LabState, options: LabApiOptions): LabState {
  const { token } = options;
  if (token !== undefined && !/^[A-Za-z0-9]{64}$/.test(token)) {
    throw new Problem('lab.failed', 'The token of the lab must be 64 letters and digits');
  }
  const known = state.projects.find((project) => project.name === defaultProject);
  const main: Project = {
    name: defaultProject,
    tokens:
      token === undefined && known ? known.tokens : [{ token: token ?? randomText(64), access: 'write' }],
    serverLimit: options.serverLimit ?? known?.serverLimit ?? labApiDefaults.serverLimit,
  };
  const given = [main, ...(options.projects ?? [])];
  const kept = state.projects.filter((project) => !given.some(({ name }) => name === project.name));
  return { ...state, projects: [...given, ...kept] };
}

function tokenOf(state: LabState): string {
  const token = state.projects.find((project) => project.name === defaultProject)?.tokens[0]?.token;
  if (token === undefined) throw new Problem('lab.failed', 'The default project of the lab has no token');
  return token;
}

/** Random letters and digits: what tokens and passwords of Hetzner consist of. */
function randomText(length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
