// Counts what an agent did, from its reports, for Prometheus. Nothing here runs unless metrics are asked for.
import { Histogram, type MetricValue, processMetrics, renderMetrics } from '../core/metrics-text.ts'
import type { Report } from './reporter.ts'

export interface AgentMetrics {
  /** The end of an attempt, or a notice of the agent itself. */
  hear(report: Report): void
  render(): string
}

export interface AgentMetricsOptions {
  readonly jobId: string | undefined
  readonly instanceId: string | undefined
  readonly slotCount: number
  readonly busyCount: () => number
}

const OUTCOMES = ['completed', 'exception', 'timed_out', 'exited', 'interrupted'] as const

export function openAgentMetrics(options: AgentMetricsOptions): AgentMetrics {
  const attempts = new Map<string, number>(OUTCOMES.map(outcome => [outcome, 0]))
  const durations = new Histogram()
  let [cpuSeconds, retries, deadLetters, errors, notices] = [0, 0, 0, 0, 0]
  return {
    hear({ task, event = '', successor, letter }) {
      const { type, elapsedSeconds, usedCpuSeconds } = readHead(event)
      if (task === undefined) {
        if (type === 'spot_termination') notices++
        else errors++
        return
      }
      const outcome = type.slice('task_'.length)
      attempts.set(outcome, (attempts.get(outcome) ?? 0) + 1)
      durations.observe(elapsedSeconds)
      cpuSeconds += usedCpuSeconds
      if (successor !== undefined && outcome !== 'interrupted') retries++
      if (letter !== undefined) deadLetters++
    },
    render() {
      const values: Readonly<Record<string, MetricValue>> = {
        cloud_tasks_agent_info: [[{ job_id: options.jobId ?? '', instance_id: options.instanceId ?? '' }, 1]],
        cloud_tasks_agent_slots: options.slotCount,
        cloud_tasks_agent_slots_busy: options.busyCount(),
        cloud_tasks_agent_attempts_total: [...attempts].map(([outcome, count]) => [{ outcome }, count] as const),
        cloud_tasks_agent_retries_total: retries,
        cloud_tasks_agent_dead_letters_total: deadLetters,
        cloud_tasks_agent_attempt_duration_seconds: durations,
        cloud_tasks_agent_attempt_cpu_seconds_total: cpuSeconds,
        cloud_tasks_agent_errors_total: errors,
        cloud_tasks_agent_spot_notices_total: notices,
        ...processMetrics(),
      }
      return renderMetrics(values)
    },
  }
}

/** Without parsing what the task returned: it may be long, and comes after all that is wanted. */
function readHead(event: string) {
  // Inside a text of JSON every quote has a backslash: a key is found only where it is one.
  const result = event.indexOf('"result":')
  const head = result < 0 ? event : event.slice(0, result)
  return {
    type: TYPE.exec(head)?.[1] ?? '',
    elapsedSeconds: Number(ELAPSED.exec(head)?.[1] ?? 0),
    usedCpuSeconds: Number(CPU.exec(head)?.[1] ?? 0),
  }
}

const TYPE = /"event_type":"([a-z_]+)"/
const ELAPSED = /"elapsed_time":([\d.e+-]+)/
const CPU = /"cpu_seconds":([\d.e+-]+)/
