import { createServer } from 'node:http';

/** How long a request in flight may take after SIGTERM, in milliseconds; below the unit's TimeoutStopSec. */
const STOP_DEADLINE_MS = 35_000;
/** How often idle connections are looked for while stopping, in milliseconds. */
const IDLE_SWEEP_MS = 50;
/** Longest answer of /slow, in milliseconds; below STOP_DEADLINE_MS, so that a stop waits for it. */
const SLOWEST_MS = 30_000;

const { HOST = '127.0.0.1', PORT = '11211', APP_VERSION = 'unknown', NODE_NAME = 'unknown' } = process.env;

let stopping = false;

function sendAbout(response) {
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ app: 'hello', version: APP_VERSION, node: NODE_NAME })}\n`);
}

function sendSlowly(response, text) {
  const ms = Number(text ?? 1_000);
  if (!Number.isFinite(ms) || ms < 0) {
    response.statusCode = 400;
    response.end('ms is not a number of milliseconds\n');
    return;
  }
  const timer = setTimeout(() => sendAbout(response), Math.min(ms, SLOWEST_MS));
  response.on('close', () => clearTimeout(timer));
}

const server = createServer((request, response) => {
  // A load balancer that reuses this connection would lose its next request.
  if (stopping) response.setHeader('connection', 'close');
  const [path, query] = (request.url ?? '').split('?', 2);
  if (path === '/ping') {
    response.setHeader('content-type', 'text/plain');
    response.end('pong');
  } else if (path === '/') {
    sendAbout(response);
  } else if (path === '/slow') {
    sendSlowly(response, new URLSearchParams(query).get('ms'));
  } else {
    response.statusCode = 404;
    response.end('not found\n');
  }
});

function stop() {
  if (stopping) return;
  stopping = true;
  server.close(() => process.exit(0));
  // A connection that becomes idle only after close() would be kept open for the keep-alive time.
  setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  setTimeout(() => process.exit(1), STOP_DEADLINE_MS);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);

server.on('error', (error) => {
  console.error(`hello cannot listen on ${HOST}:${PORT}: ${error.message}`);
  process.exit(1);
});

server.listen(Number(PORT), HOST, () => {
  console.log(`hello ${APP_VERSION} listens on ${HOST}:${PORT}`);
});
