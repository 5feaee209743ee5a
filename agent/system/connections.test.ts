import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { connectionsTo, countEstablished, parseHexAddress } from './connections.js';

it.each([
  ['0100007F:2BCB', '127.0.0.1:11211'],
  ['00030A0A:0050', '10.10.3.0:80'],
  // A client of IPv4 on a socket of IPv6.
  ['0000000000000000FFFF00000100007F:0016', '127.0.0.1:22'],
  ['00000000000000000000000001000000:0016', undefined],
  ['nonsense', undefined],
])('reads %s', (text, address) => {
  expect(parseHexAddress(text)).toBe(address);
});

it('counts established connections of the local end alone', () => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid',
    '   0: 00030A0A:2BCB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0',
    '   1: 00030A0A:2BCB 01030A0A:C001 01 00000000:00000000 00:00000000 00000000     0',
    '   2: 00030A0A:2BCB 01030A0A:C002 06 00000000:00000000 00:00000000 00000000     0',
    '   3: 01030A0A:C001 00030A0A:2BCB 01 00000000:00000000 00:00000000 00000000     0',
  ].join('\n');
  expect(countEstablished(text, '10.10.3.0:11211')).toBe(1);
});

it('sees a real connection come and go', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection');
  const client = connect(port, '127.0.0.1');
  const [peer] = (await accepted) as [import('node:net').Socket];
  expect(await connectionsTo(`127.0.0.1:${port}`)).toBe(1);
  const gone = once(peer, 'close');
  client.destroy();
  peer.resume();
  await gone;
  expect(await connectionsTo(`127.0.0.1:${port}`)).toBe(0);
  server.close();
});
