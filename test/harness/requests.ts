/** Requests that go on while something else happens, each of them recorded. */
import { Agent, get } from 'node:http';

export interface Answer {
  /** Status and body, or why there was none. */
  status: number;
  text: string;
  /** performance.now() of the beginning. */
  at: number;
}

/** One GET; never rejects. */
export function request(port: number, path = '/', agent?: Agent): Promise<Answer> {
  const at = performance.now();
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path, agent: agent ?? false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, at }));
      answer.on('error', (error) => resolve({ status: 0, text: error.message, at }));
    });
    asked.on('error', (error) => resolve({ status: 0, text: error.message, at }));
  });
}

export interface Load {
  answers: readonly Answer[];
  /** Ends it; everything that was not answered with 200. */
  stop(): Promise<Answer[]>;
}

/** Several clients that ask one request after the other, over connections that they keep. */
export function startLoad(port: number, clients = 4): Load {
  const answers: Answer[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  let isStopped = false;
  const client = async () => {
    while (!isStopped) answers.push(await request(port, '/', agent));
  };
  const all = Array.from({ length: clients }, client);
  return {
    answers,
    stop: async () => {
      isStopped = true;
      await Promise.all(all);
      agent.destroy();
      return answers.filter(({ status }) => status !== 200);
    },
  };
}
