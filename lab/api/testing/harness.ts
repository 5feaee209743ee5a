/** A lab API on a free port with the memory driver, and a client that checks every answer against the field lists. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabApi, type LabApiOptions, startLabApi } from '../lab-api.js';
import { createRecordingDriver, type RecordingDriver } from './recording-driver.js';
import { answerFault } from './wire-schemas.js';

export interface Reply {
  status: number;
  headers: Headers;
  // Tests look into answers of many shapes; the field lists have checked each before.
  body: Record<string, never> & { error?: { code: string; message: string; details: unknown } };
}

/** A 64-character token that is easy to tell from others. */
export function tokenOf(letter: string): string {
  return letter.repeat(64);
}

export const readToken = tokenOf('r');
export const otherToken = tokenOf('o');

export class Harness {
  private constructor(
    readonly driver: RecordingDriver,
    readonly stateFile: string,
    private readonly folder: string,
    private readonly options: Partial<LabApiOptions>,
    public api: LabApi,
  ) {}

  static async start(options: Partial<LabApiOptions> = {}): Promise<Harness> {
    const folder = await mkdtemp(join(tmpdir(), 'lab-api-'));
    const driver = createRecordingDriver();
    const stateFile = join(folder, 'state.json');
    const all = {
      projects: [
        { name: 'other', tokens: [{ token: otherToken, access: 'write' as const }], serverLimit: 50 },
        { name: 'watched', tokens: [{ token: readToken, access: 'read' as const }], serverLimit: 50 },
      ],
      ...options,
    };
    const api = await startLabApi({ driver, stateFile, port: 0, ...all });
    return new Harness(driver, stateFile, folder, all, api);
  }

  /** Ends the API and starts it again on the same state file and driver. */
  async restart(): Promise<void> {
    await this.api.close();
    this.api = await startLabApi({
      driver: this.driver,
      stateFile: this.stateFile,
      port: 0,
      ...this.options,
    });
  }

  async stop(): Promise<void> {
    await this.api.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** One request; `path` is below /v1 unless it starts with /_lab. Fails on an answer that breaks the field lists. */
  async call(method: string, path: string, body?: object | string, token = this.api.token): Promise<Reply> {
    const isLabVerb = path.startsWith('/_lab');
    const url = isLabVerb ? this.api.url.replace(/\/v1$/, path) : this.api.url + path;
    const response = await fetch(url, {
      method,
      headers: { Authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    if (response.status === 204 && response.headers.has('content-type')) {
      throw new Error('a 204 with content type');
    }
    const parsed = isJson ? (JSON.parse(text) as object) : {};
    const fault = isLabVerb && response.ok ? undefined : answerFault(parsed);
    if (fault) throw new Error(`${method} ${path} answered ${text.slice(0, 300)}: ${fault}`);
    return { status: response.status, headers: response.headers, body: parsed as Reply['body'] };
  }

  /** Creates a server and waits until nothing holds it. */
  async server(name: string, extra: object = {}): Promise<number> {
    const reply = await this.call('POST', '/servers', {
      name,
      server_type: 'cx23',
      image: 'debian-13',
      ...extra,
    });
    if (reply.status !== 201) throw new Error(JSON.stringify(reply.body));
    const { id } = reply.body.server as unknown as { id: number };
    await this.idle(id);
    return id;
  }

  /** Waits until no action holds the server (or it is gone). */
  async idle(id: number): Promise<void> {
    await until(async () => {
      const { status, body } = await this.call('GET', `/servers/${id}`);
      return status === 404 || (body.server as unknown as { locked: boolean }).locked === false;
    });
  }

  async status(id: number): Promise<string> {
    const { body } = await this.call('GET', `/servers/${id}`);
    return (body.server as unknown as { status: string }).status;
  }
}

/** Polls until the condition holds; throws after `deadlineMs`. */
export async function until(condition: () => Promise<boolean>, deadlineMs = 5000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
