// Who watches an agent at work: metrics and traces, if they are asked for. What cannot watch is told and left out: tasks run on.
import { messageOf } from '../core/errors.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { MetricsServer } from '../infra/metrics-server.ts'
import type { Agent } from './agent.ts'
import type { Log } from './log.ts'
import type { EventOrigin } from './origin.ts'
import type { Report } from './reporter.ts'

export interface Observers {
  /** undefined = nobody watches, and nothing is spent on it. */
  readonly heard: ((report: Report) => void) | undefined
  watch(agent: Pick<Agent, 'running'>): void
  /** Sends what is not sent yet, within a bound. */
  close(): Promise<void>
}

interface ObserverOptions {
  readonly settings: AgentSettings
  readonly slotCount: number
  readonly origin: EventOrigin
  readonly log: Log
}

export async function openObservers(options: ObserverOptions): Promise<Observers> {
  const { settings, slotCount, origin, log } = options
  const { jobId, metricsPort, metricsHost } = settings
  const { instanceId } = origin
  let agent: Pick<Agent, 'running'> | undefined
  const heard: ((report: Report) => void)[] = []
  const closed: (() => Promise<void>)[] = []

  if (metricsPort !== undefined) {
    const { openAgentMetrics } = await import('./metrics.ts')
    const { serveMetrics } = await import('../infra/metrics-server.ts')
    const busyCount = () => agent?.running().length ?? 0
    const metrics = openAgentMetrics({ jobId, instanceId, slotCount, busyCount })
    const server: MetricsServer | undefined = await serveMetrics({
      port: metricsPort,
      host: metricsHost,
      render: metrics.render,
    }).catch((error: unknown) => void log.warning(messageOf(error)))
    if (server !== undefined) {
      log.info(`Metrics are served at ${server.url}.`)
      heard.push(metrics.hear)
      closed.push(() => server.close())
    }
  }
  if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT || process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) {
    const { openTracing } = await import('./tracing.ts')
    const tracing = openTracing({ jobId, log })
    heard.push(tracing.hear)
    closed.push(tracing.close)
  }

  const [only] = heard
  return {
    heard: heard.length < 2 ? only : report => heard.forEach(hear => void hear(report)),
    watch(started) {
      agent = started
    },
    async close() {
      await Promise.all(closed.map(close => close()))
    },
  }
}
