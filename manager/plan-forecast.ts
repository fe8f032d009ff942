// How long a job will take and what it will cost, as ranges: the job is drawn a thousand times from what is known of its tasks.
import type { JobConfig } from '../core/job-config.ts'
import { poolTimesOf } from './pool-times.ts'
import type { Choice } from './select-offers.ts'
import { interruptionRisk } from './select-rank.ts'

export interface ForecastInputs {
  readonly config: JobConfig
  readonly choice: Choice
  readonly vmCount: number
  readonly taskCount: number
  /** At least one. */
  readonly taskSeconds: readonly number[]
}

export interface Forecast {
  readonly secondsPerTask: number
  /** From the first launch to the last result. */
  readonly durationSeconds: Range
  readonly costUsd: Range
  readonly vmHours: Range
  readonly usdPerMillionTasks: number
  readonly assumptions: Assumptions
}

/** Nine of ten jobs end below `p90`, one of ten below `p10`. */
export interface Range {
  readonly p10: number
  readonly p50: number
  readonly p90: number
}

export interface Assumptions {
  readonly bootSeconds: number
  readonly preemptionsPerVmHour: number
  /** Tasks whose durations the forecast rests on. */
  readonly durationCount: number
}

const DRAW_COUNT = 1000 // p10 and p90 are then stable to a few per cent
/** https://aws.amazon.com/ec2/spot/instance-advisor: the usual band is 5–10 % a month; a busy zone loses a VM in 20 an hour. */
const CLOUD_PREEMPTIONS_PER_VM_HOUR = 0.05
const LEAST_BILLED_SECONDS = 60 // AWS, GCP and Azure bill by the second after the first minute

export function forecastJob(inputs: ForecastInputs): Forecast {
  const assumptions = assumptionsOf(inputs)
  const random = randomNumbers()
  const draws = Array.from({ length: DRAW_COUNT }, () => drawJob(inputs, assumptions, random))
  const costUsd = rangeOf(draws.map(draw => draw.usd))
  return {
    secondsPerTask: mean(inputs.taskSeconds),
    durationSeconds: rangeOf(draws.map(draw => draw.seconds)),
    costUsd,
    vmHours: rangeOf(draws.map(draw => draw.vmSeconds / 3600)),
    usdPerMillionTasks: (costUsd.p50 / inputs.taskCount) * 1e6,
    assumptions,
  }
}

function assumptionsOf({ config, choice, taskSeconds }: ForecastInputs): Assumptions {
  const local = config.provider === 'local'
  const perHour = local ? (config.section.preemptions_per_hour ?? 0) : cloudPreemptionsPerVmHour(choice)
  return {
    bootSeconds: poolTimesOf(config).bootSeconds,
    preemptionsPerVmHour: choice.spot ? perHour : 0,
    durationCount: taskSeconds.length,
  }
}

function cloudPreemptionsPerVmHour({ offer }: Choice): number {
  return Number((CLOUD_PREEMPTIONS_PER_VM_HOUR * interruptionRisk(offer)).toFixed(3))
}

interface Draw {
  readonly seconds: number
  readonly vmSeconds: number
  readonly usd: number
}

/** One way the job may go: its mean task, its preemptions and its last tasks are drawn; the rest is arithmetic. */
function drawJob(inputs: ForecastInputs, assumed: Assumptions, random: () => number): Draw {
  const { choice, vmCount, taskCount, taskSeconds } = inputs
  const slotCount = Math.min(vmCount * choice.tasksPerVm, taskCount)
  const drawTask = () => taskSeconds[Math.floor(random() * taskSeconds.length)] ?? 0
  // The sample says the mean only so well: the mean of the sample drawn anew from itself spreads as much.
  const meanSeconds = mean(taskSeconds.map(drawTask))
  const bootSeconds = assumed.bootSeconds * (0.5 + random())
  const work = taskCount * meanSeconds
  const preemptionCount = poisson((assumed.preemptionsPerVmHour * work) / choice.tasksPerVm / 3600, random)
  // A VM that is taken away loses half of what each slot had in hand, and another one has to boot.
  const lostSeconds = preemptionCount * Math.min(choice.tasksPerVm, taskCount) * (meanSeconds / 2)
  const busySeconds = (work + lostSeconds) / slotCount
  const longest = Array.from({ length: Math.min(slotCount, MOST_LAST_TASKS) }, drawTask).reduce(
    (a, b) => Math.max(a, b),
    0,
  )
  const tailSeconds = (1 - 1 / slotCount) * longest * random()
  const seconds = bootSeconds + busySeconds + (preemptionCount * bootSeconds) / vmCount + tailSeconds
  // VMs without work are ended one by one during the tail.
  const each = Math.max(LEAST_BILLED_SECONDS, bootSeconds + busySeconds + tailSeconds / 2)
  const vmSeconds = vmCount * each + preemptionCount * bootSeconds
  return { seconds, vmSeconds, usd: (vmSeconds / 3600) * choice.offer.priceUsdPerHour }
}

const MOST_LAST_TASKS = 200 // the longest of so many is as long as it gets

function rangeOf(values: readonly number[]): Range {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (fraction: number) => sorted[Math.round((sorted.length - 1) * fraction)] ?? 0
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

/** Many: as good as normal. Few: counted one by one (Knuth). */
function poisson(expected: number, random: () => number): number {
  if (expected > 30) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return Math.max(0, Math.round(expected + Math.sqrt(expected) * normal))
  }
  let count = -1
  for (let product = 1; product > Math.exp(-expected) || count < 0; count++) product *= random()
  return count
}

/** The same job has the same forecast every time. mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function randomNumbers(): () => number {
  let state = 20_260_101
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
