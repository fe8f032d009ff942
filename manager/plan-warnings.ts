// What of a planned job cannot work or will stop early, each in one sentence that says what to change. Pure.

import type { PlanInputs } from './plan.ts'
import type { Forecast } from './plan-forecast.ts'
import type { LaunchDecision } from './reconcile-launch.ts'
import type { Choice } from './select-offers.ts'

export interface WarningInputs extends PlanInputs {
  readonly choice: Choice
  readonly decision: LaunchDecision
  readonly forecast: Forecast | undefined
}

export function planWarnings(inputs: WarningInputs): readonly string[] {
  return [
    poolWarnings,
    leaseWarnings,
    sizeWarnings,
    timeWarnings,
    memoryWarnings,
    moneyWarnings,
    sampleWarnings,
  ].flatMap(check => check(inputs))
}

function poolWarnings({ decision, config, limits, tasks }: WarningInputs): string[] {
  const warnings = decision.warning === undefined ? [] : [decision.warning]
  if (tasks.count === 0) warnings.push('The task file holds no tasks.')
  if (limits === undefined) {
    warnings.push(`The limits of ${config.provider} are not checked: this version has no adapter for it.`)
  }
  return warnings
}

function leaseWarnings({ config, limits, taskSeconds }: WarningInputs): string[] {
  if (limits === undefined) return []
  const { leaseSeconds, maxRuntimeSeconds } = config.tasks
  const warnings: string[] = []
  if (leaseSeconds > limits.maxLeaseSeconds) {
    warnings.push(`lease_seconds ${leaseSeconds} is more than ${config.provider} allows (${limits.maxLeaseSeconds}).`)
  }
  const total = limits.maxTotalLeaseSeconds
  if (total === undefined || maxRuntimeSeconds <= total) return warnings
  const known = taskSeconds.length > 0 && Math.max(...taskSeconds) <= total
  if (!known) {
    warnings.push(
      `A task may run ${hours(maxRuntimeSeconds)} (max_runtime), but ${config.provider} takes a task back after ` +
        `${hours(total)}: longer tasks need checkpoints, or run twice at once. Lower max_runtime if none is longer.`,
    )
  }
  return warnings
}

function sizeWarnings({ limits, tasks: { largest }, config }: WarningInputs): string[] {
  if (limits === undefined || largest === undefined || largest.bodyBytes <= limits.maxBodyBytes) return []
  return [
    `Task ${JSON.stringify(largest.taskId)} is ${count(largest.bodyBytes)} bytes as a message, but ${config.provider} takes ` +
      `${count(limits.maxBodyBytes)}. Put big data into a file and its address into "data".`,
  ]
}

function timeWarnings({ config, taskSeconds }: WarningInputs): string[] {
  const { maxRuntimeSeconds } = config.tasks
  const { maxVmLifetimeSeconds } = config.boot
  const longest = taskSeconds.reduce((a, b) => Math.max(a, b), 0)
  const warnings: string[] = []
  if (longest > maxRuntimeSeconds) {
    warnings.push(`Tasks take up to ${seconds(longest)}, but are killed after max_runtime ${maxRuntimeSeconds} s.`)
  }
  if (maxVmLifetimeSeconds !== undefined && longest > maxVmLifetimeSeconds) {
    warnings.push(
      `Tasks take up to ${seconds(longest)}, but a VM ends after max_instance_lifetime ${maxVmLifetimeSeconds} s.`,
    )
  } else if (maxVmLifetimeSeconds !== undefined && longest === 0 && maxRuntimeSeconds > maxVmLifetimeSeconds) {
    warnings.push(
      `max_runtime ${maxRuntimeSeconds} s is more than max_instance_lifetime ${maxVmLifetimeSeconds} s: ` +
        'a task that takes so long never ends without checkpoints.',
    )
  }
  return warnings
}

const GIB = 2 ** 30

function memoryWarnings({ config, choice, sample }: WarningInputs): string[] {
  const { offer, tasksPerVm } = choice
  const allowed = config.tasks.maxMemoryPerTaskGib
  const perTask = (sample?.maxRssBytes ?? 0) / GIB
  const warnings: string[] = []
  if (perTask * tasksPerVm > offer.memoryGib) {
    warnings.push(
      `${tasksPerVm} tasks at once need about ${gib(perTask * tasksPerVm)} (${gib(perTask)} each in the sample), but ` +
        `${offer.instanceType} has ${gib(offer.memoryGib)}. Set min_memory_per_task, or lower max_tasks_per_instance.`,
    )
  } else if (allowed !== undefined && allowed * tasksPerVm > offer.memoryGib) {
    warnings.push(
      `max_memory_allowed_per_task ${allowed} GB × ${tasksPerVm} tasks at once is more than ${offer.instanceType} has ` +
        `(${gib(offer.memoryGib)}): tasks may run out of memory before their limit.`,
    )
  }
  if (allowed !== undefined && perTask > allowed) {
    warnings.push(`Tasks need up to ${gib(perTask)}, but are killed above max_memory_allowed_per_task ${allowed} GB.`)
  }
  return warnings
}

function moneyWarnings({ config, forecast }: WarningInputs): string[] {
  const cap = config.pool.maxTotalCostUsd
  if (cap === undefined || forecast === undefined || forecast.costUsd.p90 <= cap) return []
  const { p50, p90 } = forecast.costUsd
  if (p50 <= cap) return [`One job in ten costs more than ${usd(p90)}: max_total_cost ${usd(cap)} may end it early.`]
  const share = Math.floor((cap / p50) * 100)
  return [
    `max_total_cost ${usd(cap)} ends the job after about ${share} % of its tasks; all of them cost about ${usd(p50)}.`,
  ]
}

function sampleWarnings({ sample, config }: WarningInputs): string[] {
  if (sample === undefined || sample.failedCount === 0) return []
  const { failedCount, taskCount, failure } = sample
  const last = failure?.trim().split('\n').at(-1)?.trim().replace(/\.$/, '')
  const retried = config.tasks.retryOnException === true ? ` and would be tried ${config.tasks.maxAttempts} times` : ''
  return [`${failedCount} of ${taskCount} sample tasks failed${retried}${last ? `, the first so: ${last}` : ''}.`]
}

function hours(value: number): string {
  return `${Number((value / 3600).toFixed(2))} h`
}

function seconds(value: number): string {
  return `${Number(value.toPrecision(3))} s`
}

function gib(value: number): string {
  return `${Number(value.toPrecision(3))} GB`
}

function usd(amount: number): string {
  return `$${amount >= 1 ? amount.toFixed(2) : Number(amount.toPrecision(2))}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
