// Renders a plan for people and as the JSON that `plan --json` promises.
import type { Plan } from './plan.ts'
import type { Forecast, Range } from './plan-forecast.ts'
import { renderDuration } from './progress.ts'

export function renderPlan(plan: Plan): string {
  const { offer, spot, bootDiskGib, tasksPerVm } = plan.choice
  const disk = offer.bootDiskType === undefined ? `${bootDiskGib} GB` : `${bootDiskGib} GB of ${offer.bootDiskType}`
  return [
    row('Tasks', plan.taskCount === undefined ? 'not known: give --task-file or --tasks' : count(plan.taskCount)),
    row(
      'VM',
      `${offer.instanceType}${offer.zone === '' ? '' : ` in ${offer.zone}`}: ${offer.vcpuCount} vCPUs, ${offer.memoryGib} GB, boot disk ${disk}`,
    ),
    row('Price', `$${offer.priceUsdPerHour}/h ${spot ? 'spot' : 'on demand'}`),
    row('At once', `${tasksPerVm} tasks on each VM`),
    row('VMs to start', plan.instancesToStart === 0 ? `none: ${plan.reason}` : plan.reason),
    ...(plan.forecast === undefined
      ? [row('Forecast', 'not possible: give the number of tasks, and --sample N or --seconds-per-task S')]
      : renderForecast(plan.forecast)),
    ...plan.warnings.map(warning => `Warning: ${warning}`),
  ].join('\n')
}

function renderForecast({ durationSeconds, costUsd, vmHours, secondsPerTask, ...forecast }: Forecast): string[] {
  const { bootSeconds, preemptionsPerVmHour, durationCount } = forecast.assumptions
  return [
    row('Time per task', `${Number(secondsPerTask.toPrecision(3))} s (of ${count(durationCount)})`),
    row('', `${'p10'.padEnd(WIDTH)}${'p50'.padEnd(WIDTH)}p90`),
    row('Duration', columns(durationSeconds, renderDuration)),
    row('Cost', columns(costUsd, usd)),
    row(
      'VM-hours',
      columns(vmHours, hours => hours.toPrecision(3)),
    ),
    row('Per million tasks', usd(forecast.usdPerMillionTasks)),
    row(
      'Assuming',
      `a boot of ${bootSeconds} s, ${preemptionsPerVmHour} preemptions per VM-hour, tasks as fast as here`,
    ),
  ]
}

export function planAsJson({ choice, taskCount, instancesToStart, reason, forecast, warnings }: Plan): object {
  const { offer, spot, tasksPerVm, bootDiskGib } = choice
  return {
    task_count: taskCount ?? null,
    choice: {
      instance_type: offer.instanceType,
      boot_disk_type: offer.bootDiskType ?? null,
      price_per_hour: offer.priceUsdPerHour,
      zone: offer.zone,
      spot,
      boot_disk_gb: bootDiskGib,
    },
    tasks_per_instance: tasksPerVm,
    instances_to_start: instancesToStart,
    reason,
    forecast:
      forecast === undefined
        ? null
        : {
            seconds_per_task: forecast.secondsPerTask,
            duration_seconds: forecast.durationSeconds,
            cost_usd: forecast.costUsd,
            vm_hours: forecast.vmHours,
            usd_per_million_tasks: forecast.usdPerMillionTasks,
            assumptions: {
              boot_seconds: forecast.assumptions.bootSeconds,
              preemptions_per_vm_hour: forecast.assumptions.preemptionsPerVmHour,
              duration_count: forecast.assumptions.durationCount,
            },
          },
    warnings,
  }
}

const WIDTH = 16

function columns({ p10, p50, p90 }: Range, render: (value: number) => string): string {
  return render(p10).padEnd(WIDTH) + render(p50).padEnd(WIDTH) + render(p90)
}

function row(label: string, value: string): string {
  return `${label.padEnd(20)}${value}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

function usd(amount: number): string {
  return `$${amount >= 1 || amount === 0 ? amount.toFixed(2) : Number(amount.toPrecision(2))}`
}
