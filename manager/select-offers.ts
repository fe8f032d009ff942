// Which VMs can run the job's tasks, best first. Pure: offers and needs in, choices out.
import { UserError } from '../core/errors.ts'
import type { BootDiskNeeds, Bounds, JobConfig, MachineNeeds, TaskRules } from '../core/job-config.ts'
import type { Offer } from '../infra/provider.ts'
import { timesWithin } from './exact-division.ts'

/** An offer that fits, and what the job makes of it. */
export interface Choice {
  readonly offer: Offer
  readonly spot: boolean
  readonly tasksPerVm: number
  readonly bootDiskGib: number
  /** The share of a VM's time that is expected not to be lost to preemptions; absent = 1. */
  readonly survival?: number
}

type Needs = Pick<JobConfig, 'machine' | 'tasks' | 'bootDisk' | 'zone'>

/** Cheapest per vCPU in use first; of equals, the one with more vCPUs. Throws a UserError if none fits. */
export function selectOffers(offers: readonly Offer[], needs: Needs, { spot }: { readonly spot: boolean }): Choice[] {
  const tests = testsOf(needs, spot)
  const refused = new Map<string, number>()
  const choices: Choice[] = []
  for (const offer of offers) {
    const failed = tests.find(({ passes }) => !passes(offer))
    if (failed !== undefined) refused.set(failed.need, (refused.get(failed.need) ?? 0) + 1)
    else choices.push(choiceOf(offer, needs, spot))
  }
  if (choices.length === 0) throw new UserError(nothingFits(offers.length, refused, spot))
  return choices.sort((a, b) => rank(a, needs) - rank(b, needs) || b.offer.vcpuCount - a.offer.vcpuCount)
}

/** Tasks at once on a VM of this size. */
export function tasksPerVm(vcpuCount: number, { cpusPerTask, minTasksPerVm, maxTasksPerVm }: TaskRules): number {
  const fitting = timesWithin(vcpuCount, cpusPerTask)
  return Math.min(Math.max(fitting, minTasksPerVm ?? 0), maxTasksPerVm ?? Number.POSITIVE_INFINITY)
}

/** Whole GB: the largest of the floor, the need per vCPU, and the need per task. */
export function bootDiskGib(vcpuCount: number, disk: BootDiskNeeds, tasks: TaskRules): number {
  const perCpu = disk.baseGib + disk.gibPerCpu * vcpuCount
  const perTask = disk.baseGib + disk.gibPerTask * timesWithin(vcpuCount, tasks.cpusPerTask)
  return Math.trunc(Math.max(disk.totalGib, perCpu, perTask))
}

function choiceOf(offer: Offer, { tasks, bootDisk }: Needs, spot: boolean): Choice {
  const diskGib = bootDiskGib(offer.vcpuCount, bootDisk, tasks)
  return {
    offer: withBootDisk(offer, diskGib, bootDisk),
    spot,
    tasksPerVm: tasksPerVm(offer.vcpuCount, tasks),
    bootDiskGib: diskGib,
  }
}

/** The same offer at the price of the whole VM. */
function withBootDisk({ bootDiskRates: rates, ...offer }: Offer, diskGib: number, needs: BootDiskNeeds): Offer {
  if (rates === undefined) return offer
  const beyond = (wanted = 0, included = 0) => Math.max(0, wanted - included)
  const parts = {
    bootDisk: roundPrice(diskGib * rates.usdPerGibHour),
    bootDiskIops: roundPrice(beyond(needs.iops ?? rates.defaultIops, rates.includedIops) * (rates.usdPerIopsHour ?? 0)),
    bootDiskThroughput: roundPrice(
      beyond(needs.throughputMibPerSecond ?? rates.defaultMibPerSecond, rates.includedMibPerSecond) *
        (rates.usdPerMibPerSecondHour ?? 0),
    ),
  }
  const total = offer.priceUsdPerHour + parts.bootDisk + parts.bootDiskIops + parts.bootDiskThroughput
  return { ...offer, priceUsdPerHour: roundPrice(total), priceParts: { ...offer.priceParts, ...parts } }
}

function roundPrice(usd: number): number {
  return Number(usd.toFixed(6))
}

/** USD per vCPU that tasks can use, to 4 decimals: smaller differences are not worth smaller VMs. */
function rank({ offer, tasksPerVm }: Choice, { tasks }: Needs): number {
  const usableCpus = Math.min(offer.vcpuCount, tasksPerVm * tasks.cpusPerTask)
  return Math.round((offer.priceUsdPerHour / usableCpus) * 1e4)
}

interface Test {
  /** In the user's words, for the refusal. */
  readonly need: string
  readonly passes: (offer: Offer) => boolean
}

function testsOf({ machine, tasks, bootDisk, zone }: Needs, spot: boolean): Test[] {
  const { cpusPerTask } = tasks
  const perTask = (amount: number, { vcpuCount }: Offer) => (amount / vcpuCount) * cpusPerTask
  const spareSsd = (offer: Offer) => offer.localSsdGib - machine.localSsdBaseGib
  const leastCpus = cpusPerTask * (tasks.minTasksPerVm ?? 1)
  const mostCpus = tasks.maxTasksPerVm === undefined ? undefined : cpusPerTask * tasks.maxTasksPerVm
  return [
    ...nameTests(machine),
    test(`zone ${zone}`, zone, offer => offer.zone === zone),
    test(`architecture ${machine.architecture}`, machine.architecture, o => o.architecture === machine.architecture),
    test(`cpu_family ${machine.cpuFamily}`, machine.cpuFamily, offer => sameFamily(offer, machine.cpuFamily)),
    ...bounds('cpu_rank', machine.cpuRank, offer => offer.cpuRank),
    ...bounds('cpu', machine.vcpuCount, offer => offer.vcpuCount),
    ...bounds('vCPUs for its tasks', { min: leastCpus, max: mostCpus }, offer => offer.vcpuCount),
    ...bounds('total_memory', machine.memoryGib, offer => offer.memoryGib),
    ...bounds('memory_per_cpu', machine.memoryGibPerCpu, offer => offer.memoryGib / offer.vcpuCount),
    ...bounds('memory_per_task', machine.memoryGibPerTask, offer => perTask(offer.memoryGib, offer)),
    ...bounds('local_ssd', machine.localSsdGib, offer => offer.localSsdGib),
    ...bounds('local_ssd_per_cpu', machine.localSsdGibPerCpu, offer => spareSsd(offer) / offer.vcpuCount),
    ...bounds('local_ssd_per_task', machine.localSsdGibPerTask, offer => perTask(spareSsd(offer), offer)),
    test(`boot_disk_types ${bootDisk.types?.join(' ')}`, bootDisk.types, ({ bootDiskType }) =>
      bootDiskType === undefined ? true : (bootDisk.types ?? []).includes(bootDiskType.toLowerCase()),
    ),
    test('use_spot', spot || undefined, offer => offer.spotSupported),
  ].filter(made => made !== undefined)
}

function test(need: string, wanted: unknown, passes: Test['passes']): Test | undefined {
  return wanted === undefined ? undefined : { need, passes }
}

function nameTests({ instanceTypes }: MachineNeeds): Test[] {
  if (instanceTypes === undefined) return []
  const patterns = instanceTypes.map(type => new RegExp(`^(?:${type})`))
  const need = `instance_types ${instanceTypes.join(' ')}`
  return [{ need, passes: offer => patterns.some(pattern => pattern.test(offer.instanceType)) }]
}

function bounds(what: string, { min, max }: Bounds, measure: (offer: Offer) => number): Test[] {
  const slack = 1e-9 // of ratios such as 0.1 + 0.2
  return [
    test(`${what} ≥ ${min}`, min, offer => measure(offer) >= (min ?? 0) - slack),
    test(`${what} ≤ ${max}`, max, offer => measure(offer) <= (max ?? 0) + slack),
  ].filter(made => made !== undefined)
}

/** "Ice Lake", "ICE LAKE" and "ice-lake" are the same; "Intel Ice Lake" is an Ice Lake. */
function sameFamily({ cpuFamily }: Offer, wanted: string | undefined): boolean {
  const plain = (text: string) =>
    ` ${text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim()} `
  return cpuFamily !== undefined && wanted !== undefined && plain(cpuFamily).includes(plain(wanted))
}

function nothingFits(offerCount: number, refused: ReadonlyMap<string, number>, spot: boolean): string {
  if (offerCount === 0) return `No instance type is offered ${spot ? 'as spot' : 'on demand'} here; try another region.`
  const reasons = [...refused].sort((a, b) => b[1] - a[1]).map(([need, count]) => `${count} fail ${need}`)
  return `No instance type meets the requirements: of ${offerCount} offers ${reasons.slice(0, 5).join(', ')}. Relax one of these.`
}
