import { describeDriver } from './driver.contract.js';
import { createMemoryDriver } from './memory-driver.js';

describeDriver('memory', async () => ({
  driver: createMemoryDriver(),
  spec: (id) => ({ id, hostname: id, ipv4: '10.0.0.2', userData: null, authorizedKeys: [], image: 'nixos' }),
  dispose: async () => undefined,
}));
