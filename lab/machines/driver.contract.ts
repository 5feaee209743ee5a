/** What every machine driver does, whatever plays the machines. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MachineDriver, MachineSpec } from './driver.js';

export interface DriverUnderTest {
  driver: MachineDriver;
  /** A machine's specification from an image that this driver has; the address is free. */
  spec(id: string): MachineSpec;
  dispose(): Promise<void>;
}

/** Runs the contract as a vitest suite. `make` is called once, before the first test. */
export function describeDriver(name: string, make: () => Promise<DriverUnderTest>): void {
  describe(`machine driver: ${name}`, () => {
    let test: DriverUnderTest;
    const driver = () => test.driver;

    beforeAll(async () => {
      test = await make();
    });
    afterAll(async () => {
      await test?.dispose();
    });

    it('knows nothing of a machine that was never made', async () => {
      expect(await driver().state('none1')).toBe('absent');
      await driver().destroy('none1');
      await expect(driver().start('none1')).rejects.toThrow(/no machine none1/);
      await expect(driver().exec('none1', ['echo'])).rejects.toThrow(/no machine none1/);
    });

    it('refuses an image that it does not have, and leaves nothing', async () => {
      await expect(driver().create({ ...test.spec('c0'), image: 'no-such' })).rejects.toThrow(
        /no image "no-such"/,
      );
      expect(await driver().state('c0')).toBe('absent');
    });

    it('makes a machine that is off, and makes it once', async () => {
      await driver().create(test.spec('c1'));
      await driver().create(test.spec('c1'));
      expect(await driver().state('c1')).toBe('off');
      await expect(driver().exec('c1', ['echo'])).rejects.toThrow(/does not run/);
    });

    it('boots it, also when it runs already', async () => {
      await driver().start('c1');
      await driver().start('c1');
      expect(await driver().state('c1')).toBe('running');
    });

    it('runs a command inside', async () => {
      expect(await driver().exec('c1', ['echo', 'hello', 'there'])).toEqual({
        code: 0,
        stdout: 'hello there\n',
        stderr: '',
      });
    });

    it('restarts it', async () => {
      await driver().reboot('c1');
      expect(await driver().state('c1')).toBe('running');
    });

    it('takes no snapshot of a running machine', async () => {
      await expect(driver().snapshot('c1', 'snap-1')).rejects.toThrow(/has to be off/);
    });

    it('lets the cable out and in', async () => {
      await driver().link('c1', false);
      await driver().link('c1', true);
      expect(await driver().state('c1')).toBe('running');
    });

    it('cuts it from others and joins it again, each as often as one likes', async () => {
      await driver().create(test.spec('c3'));
      await driver().partition('c1', ['c3']);
      await driver().partition('c1', ['c3']);
      await driver().rejoin('c3');
      await driver().rejoin('c3');
      await driver().rejoin('c1');
      await expect(driver().partition('c1', ['none1'])).rejects.toThrow(/no machine none1/);
      await expect(driver().rejoin('none1')).rejects.toThrow(/no machine none1/);
      await driver().destroy('c3');
      expect(await driver().state('c1')).toBe('running');
    });

    it('shuts it down, and down again', async () => {
      await driver().shutdown('c1');
      await driver().shutdown('c1');
      expect(await driver().state('c1')).toBe('off');
    });

    it('cuts the power of a running machine', async () => {
      await driver().start('c1');
      await driver().powerOff('c1');
      await driver().powerOff('c1');
      expect(await driver().state('c1')).toBe('off');
    });

    it('makes a machine from a snapshot', async () => {
      await driver().snapshot('c1', 'snap-1');
      await driver().create({ ...test.spec('c2'), image: 'snap-1' });
      expect(await driver().state('c2')).toBe('off');
    });

    it('destroys a running machine', async () => {
      await driver().start('c1');
      await driver().destroy('c1');
      await driver().destroy('c1');
      await driver().destroy('c2');
      expect([await driver().state('c1'), await driver().state('c2')]).toEqual(['absent', 'absent']);
    });
  });
}
