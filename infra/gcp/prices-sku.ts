// What one entry of Google's price list is about: a vCPU of some family, a GiB of its memory, a disk. It says so in English only.

/** Of one thing for an hour. */
export interface SkuRate {
  /** Such as `n2 core`, `n2 ram`, `c4d ssd`, `ssd`, `gpu nvidia l4`, `disk pd-ssd`, `iops hd-balanced`. */
  readonly key: string
  readonly spot: boolean
}

/** Prices of other ways to buy the same, which would stand beside the usual one. */
const OTHER =
  /\b(sole tenancy|custom|commitment|regional|asynchronous|replication|confidential|reserved|reservation|dws|calendar|suspended|snapshot|storage pools?|high availability|extended|overcommit)\b/

/** Of disks, which have no other words around them than the place. */
const DISKS: Readonly<Record<string, string>> = {
  'storage pd capacity': 'disk pd-standard',
  'balanced pd capacity': 'disk pd-balanced',
  'ssd backed pd capacity': 'disk pd-ssd',
  'extreme pd capacity': 'disk pd-extreme',
  'extreme pd iops': 'iops pd-extreme',
  'hyperdisk balanced capacity': 'disk hd-balanced',
  'hyperdisk balanced iops': 'iops hd-balanced',
  'hyperdisk balanced throughput': 'throughput hd-balanced',
}

/** Sold under the name of what they are good at, or whole. */
const NAMES: Readonly<Record<string, string>> = {
  'compute optimized': 'c2',
  'memory-optimized': 'm1',
  'memory optimized upgrade premium for memory-optimized': 'm2 premium', // on top of m1
}
const WHOLE: Readonly<Record<string, string>> = {
  'micro instance with burstable cpu': 'f1-micro whole',
  'small instance with 1 vcpu': 'g1-small whole',
}
/** Say nothing about which family it is. */
const MODIFIERS = /\b(amd|arm|intel|predefined|memory-optimized|titanium)\b/g

/** undefined for what no VM of ours is made of. */
export function parseSku(description: string, usageType: string): SkuRate | undefined {
  const text = description.toLowerCase().replaceAll(/\s+/g, ' ').trim()
  const spot = usageType === 'Preemptible'
  if ((!spot && usageType !== 'OnDemand') || OTHER.test(text)) return undefined
  const what = text
    .replace(/ (running )?in .*$/, '')
    .replace(/^(spot )?preemptible /, '')
    .replace(/ attached to (spot )?preemptible vms$/, '')
  const key = DISKS[what] ?? WHOLE[what] ?? machineKey(what) ?? ssdKey(what) ?? gpuKey(what)
  return key === undefined ? undefined : { key, spot }
}

function machineKey(what: string): string | undefined {
  const [, named = '', kind] = /^(.+?)(?: instance)? (core|ram)$/.exec(what) ?? []
  if (kind === undefined) return undefined
  const name = NAMES[named] ?? plainName(named)
  return name === undefined ? undefined : `${name} ${kind}`
}

function ssdKey(what: string): string | undefined {
  if (what === 'ssd backed local storage') return 'ssd'
  const named = /^(.+?)(?: instance)? local ssd$/.exec(what)?.[1]
  const name = named === undefined ? undefined : plainName(named)
  return name === undefined ? undefined : `${name} ssd`
}

/** `nvidia-tesla-a100` of the machine type is "Nvidia Tesla A100 GPU" here. */
function gpuKey(what: string): string | undefined {
  const named = /^(nvidia .+) gpu$/.exec(what)?.[1]
  return named === undefined ? undefined : gpuKeyOf(named)
}

export function gpuKeyOf(accelerator: string): string {
  const words = accelerator.toLowerCase().split(/[ -]+/)
  return `gpu ${words
    .filter(word => word !== 'tesla')
    .toSorted()
    .join(' ')}`
}

/** `n2d`, and `m4ultramem224` where a type has a price of its own. */
function plainName(named: string): string | undefined {
  const name = named.replace(MODIFIERS, '').trim()
  return /^[a-z]+\d+[a-z0-9]*$/.test(name) ? name : undefined
}
