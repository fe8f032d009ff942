// What the machine types of a region are, and in which of its zones each can be had. Knows no prices.
import { z } from 'zod'
import { architectureOf, localSsdGib, sustainedVcpus } from './machine-families.ts'
import { type GcpRest, type Json, listOf, objectOf, textOf } from './rest.ts'

const PAGE_SIZE = 500 // the most there is
const FIELDS =
  'nextPageToken,items(name,description,guestCpus,memoryMb,architecture,isSharedCpu,accelerators,bundledLocalSsds,deprecated)'

export const machinesSchema = z.record(
  z.string(),
  z.object({
    vcpuCount: z.number().positive(),
    memoryGib: z.number().positive(),
    architecture: z.enum(['X86_64', 'ARM64']),
    localSsdGib: z.number(),
    accelerators: z.array(z.object({ type: z.string(), count: z.number().positive() })),
    description: z.string(),
    zones: z.array(z.string()),
  }),
)
/** By machine type, in the order of the API. */
export type Machines = z.infer<typeof machinesSchema>
export type Machine = Machines[string]

/** Zone by zone: the list over all zones of the world is a hundred times as long. */
export async function loadMachines(rest: GcpRest, projectPath: string, region: string): Promise<Machines> {
  const { zones } = await rest.request('GET', `${projectPath}/regions/${region}`)
  const names = listOf(zones).map(lastPart)
  const lists = await Promise.all(names.map(zone => loadZone(rest, projectPath, zone)))
  const machines: Record<string, Machine> = {}
  for (const [index, zone] of names.entries()) {
    for (const [name, facts] of lists[index] ?? []) {
      const known = machines[name]
      if (known === undefined) machines[name] = { ...facts, zones: [zone] }
      else known.zones.push(zone)
    }
  }
  return machines
}

export function lastPart(url: unknown): string {
  return String(url).split('/').at(-1) ?? ''
}

async function loadZone(rest: GcpRest, projectPath: string, zone: string): Promise<[string, Omit<Machine, 'zones'>][]> {
  const found: [string, Omit<Machine, 'zones'>][] = []
  const query = { maxResults: PAGE_SIZE, fields: FIELDS }
  for await (const page of rest.pages(`${projectPath}/zones/${zone}/machineTypes`, { query })) {
    for (const item of listOf(page.items).map(objectOf)) {
      const name = textOf(item.name)
      const facts = name === undefined ? undefined : factsOf(name, item)
      if (name !== undefined && facts !== undefined) found.push([name, facts])
    }
  }
  return found
}

/** undefined for what no job should run on: bare metal takes a quarter of an hour to boot, and less than one vCPU does no task. */
function factsOf(name: string, item: Json): Omit<Machine, 'zones'> | undefined {
  const [vcpus, memoryMib] = [Number(item.guestCpus), Number(item.memoryMb)]
  const vcpuCount = (item.isSharedCpu === true ? sustainedVcpus(name) : undefined) ?? vcpus
  const state = objectOf(item.deprecated).state
  if (!(vcpuCount >= 1) || !(memoryMib > 0) || name.endsWith('-metal')) return undefined
  if (state === 'OBSOLETE' || state === 'DELETED') return undefined
  const description = textOf(item.description) ?? ''
  return {
    vcpuCount,
    memoryGib: memoryMib / 1024,
    architecture: architectureOf(name, textOf(item.architecture)),
    localSsdGib: localSsdGib(name, localSsdCount(item, description)),
    accelerators: listOf(item.accelerators).map(objectOf).flatMap(acceleratorOf),
    description: [description, vcpuCount < vcpus ? `shared core: ${vcpuCount} vCPU of ${vcpus} for long` : '']
      .filter(part => part !== '')
      .join('; '),
  }
}

/** Older answers tell it in words only. */
function localSsdCount({ bundledLocalSsds }: Json, description: string): number {
  const told = Number(objectOf(bundledLocalSsds).partitionCount ?? 0)
  return told > 0 ? told : Number(/(\d+) local ssd/i.exec(description)?.[1] ?? 0)
}

function acceleratorOf({ guestAcceleratorType, guestAcceleratorCount }: Json): Machine['accelerators'] {
  const [type, count] = [textOf(guestAcceleratorType), Number(guestAcceleratorCount)]
  return type !== undefined && count > 0 ? [{ type, count }] : []
}
