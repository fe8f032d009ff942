// What the fake of Google's catalogue sells: round prices in the odd wording of the real list, and other entries beside them that
// must not be taken for them.

const AMERICAS = ['us-central1', 'us-east1', 'us-west1']

interface Tier {
  readonly units?: string
  readonly nanos?: number
}

function sku(
  description: string,
  usageUnit: string,
  tiers: readonly Tier[],
  usageType = 'OnDemand',
  regions = AMERICAS,
) {
  const tieredRates = tiers.map((tier, index) => ({
    startUsageAmount: index * 30,
    unitPrice: { currencyCode: 'USD', ...tier },
  }))
  return {
    description,
    category: { serviceDisplayName: 'Compute Engine', usageType },
    serviceRegions: regions,
    pricingInfo: [{ pricingExpression: { usageUnit, tieredRates } }],
  }
}

/** In thousandths of a dollar. */
function machine(
  family: string,
  [core, ram]: readonly [number, number],
  [spotCore, spotRam]: readonly [number, number],
) {
  const nanos = (thousandths: number) => [{ units: '0', nanos: thousandths * 1e6 }]
  return [
    sku(`${family} Sole Tenancy Instance Core running in Americas`, 'h', nanos(900)),
    sku(`${family} Custom Instance Core running in Americas`, 'h', nanos(901)),
    sku(`Commitment v1: ${family} Cpu in Americas for 1 Year`, 'h', nanos(1), 'Commit1Yr'),
    sku(`${family} Core running in Americas`, 'h', nanos(core)),
    sku(`${family} Ram running in Americas`, 'GiBy.h', nanos(ram)),
    sku(`Spot Preemptible ${family} Core running in Americas`, 'h', nanos(spotCore), 'Preemptible'),
    sku(`Spot Preemptible ${family} Ram running in Americas`, 'GiBy.h', nanos(spotRam), 'Preemptible'),
  ]
}

/** USD per month that are round per hour. */
const monthly = (usdPerHour: number): Tier => ({ units: '0', nanos: Math.round(usdPerHour * 730.5 * 1e9) })

export const SKUS = [
  ...machine('E2 Instance', [20, 3], [8, 1]),
  ...machine('N1 Predefined Instance', [30, 4], [6, 1]),
  ...machine('N2D AMD Instance', [28, 4], [5, 1]),
  ...machine('Compute optimized', [34, 5], [9, 1]),
  ...machine('C3 Instance', [34, 4], [10, 1]),
  ...machine('C4A Arm Instance', [31, 4], [12, 2]),
  ...machine('Z3 Instance', [50, 6], [20, 2]),
  ...machine('Memory-optimized Instance', [35, 5], [10, 1]),
  ...machine('A2 Instance', [32, 4], [10, 1]),
  sku('Memory Optimized Upgrade Premium for Memory-optimized Instance Core running in Americas', 'h', [{ nanos: 5e6 }]),
  sku('Memory Optimized Upgrade Premium for Memory-optimized Instance Ram running in Americas', 'GiBy.h', [
    { nanos: 1e6 },
  ]),
  // More than a dollar: whole units and billionths.
  sku('Nvidia Tesla A100 GPU running in Americas', 'h', [{ units: '2', nanos: 500_000_000 }]),
  sku(
    'Nvidia Tesla A100 GPU attached to Spot Preemptible VMs running in Americas',
    'h',
    [{ units: '1', nanos: 0 }],
    'Preemptible',
  ),
  sku('SSD backed Local Storage', 'GiBy.mo', [monthly(0.0001)]),
  sku(
    'SSD backed Local Storage attached to Spot Preemptible VMs in Americas',
    'GiBy.mo',
    [monthly(0.00004)],
    'Preemptible',
  ),
  sku('Z3 Instance Local SSD running in Americas', 'GiBy.mo', [monthly(0.00005)]),
  sku('Spot Preemptible Z3 Instance Local SSD running in Americas', 'GiBy.mo', [monthly(0.00002)], 'Preemptible'),
  sku('Regional Storage PD Capacity in Americas', 'GiBy.mo', [{ units: '9' }]),
  // The first 30 GiB of a month are for nothing.
  sku('Storage PD Capacity', 'GiBy.mo', [{ units: '0', nanos: 0 }, monthly(0.00005)]),
  sku('Balanced PD Capacity', 'GiBy.mo', [monthly(0.0001)]),
  sku('SSD backed PD Capacity', 'GiBy.mo', [monthly(0.0002)]),
  sku('Extreme PD Capacity', 'GiBy.mo', [monthly(0.0002)]),
  sku('Extreme PD IOPS', 'mo', [monthly(0.0001)]),
  sku('Hyperdisk Balanced Storage Pools Advanced Capacity in Americas', 'GiBy.mo', [{ units: '9' }]),
  sku('Hyperdisk Balanced Capacity', 'GiBy.mo', [monthly(0.0001)]),
  sku('Hyperdisk Balanced IOPS', 'mo', [monthly(0.00001)]),
  sku('Hyperdisk Balanced Throughput', 'MiBy.mo', [monthly(0.0001)]),
  sku('N1 Predefined Instance Core running in Taiwan', 'h', [{ nanos: 99e6 }], 'OnDemand', ['asia-east1']),
]

interface SoldMachine {
  readonly name: string
  readonly notIn?: string
  readonly [field: string]: unknown
}

export const MACHINES: readonly SoldMachine[] = [
  {
    name: 'e2-micro',
    guestCpus: 2,
    memoryMb: 1024,
    isSharedCpu: true,
    description: 'Efficient Instance, 2 vCPU (1/8 shared physical core)',
  },
  { name: 'e2-medium', guestCpus: 2, memoryMb: 4096, isSharedCpu: true, description: 'Efficient Instance, 2 vCPU' },
  { name: 'e2-standard-4', guestCpus: 4, memoryMb: 16384, architecture: 'X86_64', description: 'Efficient Instance' },
  { name: 'n1-standard-1', guestCpus: 1, memoryMb: 3840, description: '1 vCPU, 3.75 GB RAM' },
  { name: 'n2d-standard-2', guestCpus: 2, memoryMb: 8192, architecture: 'X86_64', notIn: 'us-central1-b' },
  { name: 'c2-standard-4', guestCpus: 4, memoryMb: 16384, architecture: 'X86_64' },
  {
    name: 'c3-standard-8-lssd',
    guestCpus: 8,
    memoryMb: 32768,
    architecture: 'X86_64',
    description: '8 vCPUs, 32 GB RAM, 2 local ssd',
  },
  { name: 'c3-standard-192-metal', guestCpus: 192, memoryMb: 786432, architecture: 'X86_64' },
  { name: 'c4a-standard-2', guestCpus: 2, memoryMb: 8192, architecture: 'ARM64' },
  {
    name: 'z3-highmem-14-standardlssd',
    guestCpus: 14,
    memoryMb: 114688,
    architecture: 'X86_64',
    bundledLocalSsds: { partitionCount: 1 },
  },
  { name: 'm2-ultramem-208', guestCpus: 208, memoryMb: 6029312, architecture: 'X86_64' },
  {
    name: 'a2-highgpu-2g',
    guestCpus: 24,
    memoryMb: 174080,
    architecture: 'X86_64',
    accelerators: [{ guestAcceleratorType: 'nvidia-tesla-a100', guestAcceleratorCount: 2 }],
  },
  {
    name: 'a2-ultragpu-1g',
    guestCpus: 12,
    memoryMb: 174080,
    architecture: 'X86_64',
    accelerators: [{ guestAcceleratorType: 'nvidia-a100-80gb', guestAcceleratorCount: 1 }],
  },
  { name: 'q9-standard-4', guestCpus: 4, memoryMb: 16384, architecture: 'X86_64' },
]

interface SoldImage {
  readonly name: string
  readonly family?: string
  readonly [field: string]: unknown
}

function image(project: string, name: string, family: string, architecture: string, rest: object = {}): SoldImage {
  const selfLink = `https://www.googleapis.com/compute/v1/projects/${project}/global/images/${name}`
  const created = { creationTimestamp: '2026-01-02T03:04:05.000-08:00', status: 'READY' }
  return { id: '17', name, family, architecture, description: 'An image', selfLink, ...created, ...rest }
}

export const IMAGES: Readonly<Record<string, readonly SoldImage[]>> = {
  'ubuntu-os-cloud': [
    image('ubuntu-os-cloud', 'ubuntu-2404-noble-amd64-v1', 'ubuntu-2404-lts-amd64', 'X86_64'),
    image('ubuntu-os-cloud', 'ubuntu-2404-noble-arm64-v1', 'ubuntu-2404-lts-arm64', 'ARM64'),
    image('ubuntu-os-cloud', 'ubuntu-2404-noble-amd64-v0', 'ubuntu-2404-lts-amd64-old', 'X86_64', {
      deprecated: { state: 'DEPRECATED' },
    }),
  ],
  'debian-cloud': [image('debian-cloud', 'debian-12-v1', 'debian-12', 'X86_64')],
  'rocky-linux-cloud': [image('rocky-linux-cloud', 'twice-v1', 'twice', 'X86_64')],
  'test-project': [
    image('test-project', 'mine-v1', 'mine', 'X86_64'),
    image('test-project', 'twice-v2', 'twice', 'X86_64'),
  ],
}
