import { createServer } from 'node:http';
import { Server } from 'node:net';

/** How long a request in flight may take after SIGTERM, in milliseconds; below the unit's TimeoutStopSec. */
const STOP_DEADLINE_MS = 35_000;
/**
 * A stopping server goes on listening until nobody has connected for this long, in milliseconds: closing the socket resets the
 * connections that the kernel has taken and we have not.
 */
const QUIET_MS = 100;
/**
 * How long it listens at most, and leaves idle connections alone, in milliseconds: a load balancer may be sending a request on one at
 * this moment. haproxy lets go of its idle ones within 2 s, so little is left to close by then.
 */
const LINGER_MS = 3_000;
/** How often a stopping server looks at both, in milliseconds. */
const SWEEP_MS = 25;
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

let lastConnectionMs = 0;
server.on('connection', () => {
  lastConnectionMs = performance.now();
});

function stop() {
  if (stopping) return;
  stopping = true;
  const sinceMs = performance.now();
  setInterval(() => {
    const lingered = performance.now() - sinceMs >= LINGER_MS;
    const quiet = performance.now() - Math.max(sinceMs, lastConnectionMs) >= QUIET_MS;
    // Not http's own close(), which ends idle connections at once.
    if (server.listening && (quiet || lingered)) Server.prototype.close.call(server, () => process.exit(0));
    if (lingered) server.closeIdleConnections();
  }, SWEEP_MS);
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
