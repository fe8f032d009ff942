// What the API does not tell of Compute Engine's machine types and their families: processors, boot disks, the size of an SSD.
// https://cloud.google.com/compute/docs/machine-resource

interface Family {
  readonly cpuFamily: string | undefined
  /** In the words of job files. */
  readonly bootDiskTypes: readonly BootDiskType[]
}

const BOOT_DISK_TYPES = ['pd-standard', 'pd-balanced', 'pd-extreme', 'pd-ssd', 'hd-balanced'] as const
export type BootDiskType = (typeof BOOT_DISK_TYPES)[number]

/** Google's own word for it, which the Python system does not have. */
const HYPERDISK = 'hyperdisk-balanced'

const DISKS: Readonly<Record<string, BootDiskType>> = {
  s: 'pd-standard',
  b: 'pd-balanced',
  x: 'pd-extreme',
  S: 'pd-ssd',
  h: 'hd-balanced',
}

/** The processor is the oldest that a VM of the family may get. Families of one line have the same boot disks. */
const TABLE: readonly (readonly [names: string, cpuFamily: string, disks: string])[] = [
  ['n1 f1 g1', 'Intel Haswell', 'sbxS'],
  ['e2', 'Intel Broadwell', 'sbxS'],
  ['n2 c2 a2', 'Intel Cascade Lake', 'sbxS'],
  ['m1', 'Intel Skylake', 'sbxSh'],
  ['m2', 'Intel Cascade Lake', 'sbxSh'],
  ['m3', 'Intel Ice Lake', 'sbxSh'],
  ['m4', 'Intel Emerald Rapids', 'h'],
  ['n2d', 'AMD Milan', 'sbxSh'],
  ['c2d', 'AMD Milan', 'sbxS'],
  ['t2d', 'AMD Milan', 'sbS'],
  ['t2a', 'Ampere Altra', 'sbxS'],
  ['g2', 'Intel Cascade Lake', 'sbS'],
  ['c3', 'Intel Sapphire Rapids', 'hbS'],
  ['c3d', 'AMD Genoa', 'hbS'],
  ['h3', 'Intel Sapphire Rapids', 'bh'],
  ['z3 a3', 'Intel Sapphire Rapids', 'bSh'],
  ['x4', 'Intel Sapphire Rapids', 'h'],
  ['c4 n4 a4', 'Intel Emerald Rapids', 'h'],
  ['c4d n4d h4d g4', 'AMD Turin', 'h'],
  ['c4a n4a', 'Google Axion', 'h'],
]

const FAMILIES: ReadonlyMap<string, Family> = new Map(
  TABLE.flatMap(([names, cpuFamily, disks]) => {
    const bootDiskTypes = [...disks].map(letter => DISKS[letter]).filter(type => type !== undefined)
    return names.split(' ').map(name => [name, { cpuFamily, bootDiskTypes }] as const)
  }),
)

/** Newer ones than this table boot from Hyperdisk alone, as all have since 2024. */
const UNKNOWN: Family = { cpuFamily: undefined, bootDiskTypes: ['hd-balanced'] }

/** `c3` of `c3-standard-8-lssd`. */
export function familyName(machineType: string): string {
  return machineType.split('-', 1)[0] ?? ''
}

export function cpuFamilyOf(machineType: string): string | undefined {
  return (FAMILIES.get(familyName(machineType)) ?? UNKNOWN).cpuFamily
}

/**
 * Each with the word that the job file has for it. Those that are wanted and that the family boots from; all of these where
 * nothing is wanted, as in the Python system.
 */
export function bootDiskTypesOf(
  machineType: string,
  wanted: readonly string[] | undefined,
): readonly (readonly [type: BootDiskType, word: string])[] {
  const { bootDiskTypes } = FAMILIES.get(familyName(machineType)) ?? UNKNOWN
  if (wanted === undefined) return bootDiskTypes.map(type => [type, type])
  return bootDiskTypes.flatMap(type => {
    const word = [type, ...(type === 'hd-balanced' ? [HYPERDISK] : [])].find(name => wanted.includes(name))
    return word === undefined ? [] : [[type, word]]
  })
}

/** Words of `boot_disk_types` that mean nothing here. */
export function unknownBootDiskTypes(wanted: readonly string[] | undefined): readonly string[] {
  const known: readonly string[] = [...BOOT_DISK_TYPES, HYPERDISK]
  return (wanted ?? []).filter(word => !known.includes(word))
}

const ARM_FAMILIES = ['t2a', 'c4a', 'n4a', 'a4x']

/** Where the API does not say, which it does for all but the oldest types. */
export function architectureOf(machineType: string, told: string | undefined): 'X86_64' | 'ARM64' {
  if (told === 'ARM64' || told === 'X86_64') return told
  return ARM_FAMILIES.includes(familyName(machineType)) ? 'ARM64' : 'X86_64'
}

const LOCAL_SSD_GIB = 375 // of one disk
const LARGE_LOCAL_SSD_GIB: Readonly<Record<string, number>> = { z3: 3_000, h4d: 3_750 }

export function localSsdGib(machineType: string, disks: number): number {
  return disks * (LARGE_LOCAL_SSD_GIB[familyName(machineType)] ?? LOCAL_SSD_GIB)
}

/** What a type of shared cores may use for as long as it likes, of the vCPUs that it shows; and pays for, but for the first two. */
const SUSTAINED_VCPUS: Readonly<Record<string, number>> = {
  'f1-micro': 0.2,
  'g1-small': 0.5,
  'e2-micro': 0.25,
  'e2-small': 0.5,
  'e2-medium': 1,
}

/** undefined for a type whose vCPUs are all its own. */
export function sustainedVcpus(machineType: string): number | undefined {
  return SUSTAINED_VCPUS[machineType]
}
