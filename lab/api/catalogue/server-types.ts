/**
 * Server types the lab sells. Sizes are the real ones, ids are ours, prices are placeholders of the right shape:
 * nothing may depend on them. A lab machine is not limited to its type's cores or memory.
 */
export interface ServerType {
  id: number;
  name: string;
  category: string;
  cores: number;
  memory: number;
  disk: number;
  cpuType: 'shared' | 'dedicated';
  architecture: 'x86' | 'arm';
  /** Net price per month in EUR, as a decimal string. */
  monthlyNet: string;
  /** Location names where it can be ordered. */
  locations: readonly string[];
}

const eu = ['fsn1', 'nbg1', 'hel1'] as const;
const everywhere = [...eu, 'ash'] as const;

type Row = readonly [
  id: number,
  name: string,
  cores: number,
  memory: number,
  disk: number,
  monthlyNet: string,
  locations: readonly string[],
];

const shared: readonly Row[] = [
  [114, 'cx23', 2, 4, 40, '3.49', eu],
  [115, 'cx33', 4, 8, 80, '6.49', eu],
  [116, 'cx43', 8, 16, 160, '12.49', eu],
  [117, 'cx53', 16, 32, 320, '22.49', eu],
  [108, 'cpx12', 1, 2, 40, '6.49', eu],
  [109, 'cpx22', 2, 4, 80, '8.49', eu],
  [110, 'cpx32', 4, 8, 160, '14.49', eu],
  [111, 'cpx42', 8, 16, 320, '25.49', eu],
  [22, 'cpx11', 2, 2, 40, '5.99', ['ash']],
  [23, 'cpx21', 3, 4, 80, '9.99', ['ash']],
];
const arm: readonly Row[] = [
  [45, 'cax11', 2, 4, 40, '3.99', eu],
  [93, 'cax21', 4, 8, 80, '6.99', eu],
  [94, 'cax31', 8, 16, 160, '12.99', eu],
];
const dedicated: readonly Row[] = [
  [96, 'ccx13', 2, 8, 80, '12.49', everywhere],
  [97, 'ccx23', 4, 16, 160, '24.49', everywhere],
  [98, 'ccx33', 8, 32, 240, '48.49', everywhere],
];

function typed(
  rows: readonly Row[],
  common: Pick<ServerType, 'category' | 'cpuType' | 'architecture'>,
): readonly ServerType[] {
  return rows.map(([id, name, cores, memory, disk, monthlyNet, locations]) => ({
    id,
    name,
    cores,
    memory,
    disk,
    monthlyNet,
    locations,
    ...common,
  }));
}

export const serverTypes: readonly ServerType[] = [
  ...typed(shared, { category: 'Shared vCPU', cpuType: 'shared', architecture: 'x86' }),
  ...typed(arm, { category: 'Shared vCPU', cpuType: 'shared', architecture: 'arm' }),
  ...typed(dedicated, { category: 'Dedicated vCPU', cpuType: 'dedicated', architecture: 'x86' }),
];
