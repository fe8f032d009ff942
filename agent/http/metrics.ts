// Counts what the API did, and renders it for Prometheus and for the health check.
import type { QueueDepth } from '../../infra/provider.ts'

export interface Metrics {
  readonly startedAtMs: number
  lastTaskAtMs: number | undefined
  claims: number
  completed: number
  failedFinal: number
  failedRetried: number
  expired: number
  created: number
  heartbeats: number
  processingSeconds: number
  request(route: string, status: number): void
  render(now: { readonly live: number; readonly depth: QueueDepth | undefined }): string
}

const PREFIX = 'cloud_tasks_http'

export function openMetrics(): Metrics {
  const requests = new Map<string, number>()
  const metrics: Metrics = {
    startedAtMs: Date.now(),
    lastTaskAtMs: undefined,
    claims: 0,
    completed: 0,
    failedFinal: 0,
    failedRetried: 0,
    expired: 0,
    created: 0,
    heartbeats: 0,
    processingSeconds: 0,
    request(route, status) {
      const labels = `route="${route}",status="${status}"`
      requests.set(labels, (requests.get(labels) ?? 0) + 1)
    },
    render({ live, depth }) {
      const counter = (name: string, help: string, value: number) => family(name, 'counter', help, [['', value]])
      const gauge = (name: string, help: string, value: number) => family(name, 'gauge', help, [['', value]])
      return [
        gauge('uptime_seconds', 'Time since the start.', (Date.now() - metrics.startedAtMs) / 1000),
        family(
          'requests_total',
          'counter',
          'Requests answered.',
          [...requests].map(([labels, count]) => [`{${labels}}`, count]),
        ),
        counter('tasks_claimed_total', 'Claims handed out.', metrics.claims),
        counter('tasks_completed_total', 'Tasks reported as completed.', metrics.completed),
        family('tasks_failed_total', 'counter', 'Attempts reported as failed.', [
          ['{retried="false"}', metrics.failedFinal],
          ['{retried="true"}', metrics.failedRetried],
        ]),
        counter('claims_expired_total', 'Claims whose worker was not heard of again.', metrics.expired),
        counter('tasks_created_total', 'Tasks added through the API.', metrics.created),
        counter('heartbeats_total', 'Leases prolonged.', metrics.heartbeats),
        counter('processing_seconds_total', 'Time between claims and their ends.', metrics.processingSeconds),
        gauge('claims', 'Tasks claimed now.', live),
        ...(depth === undefined
          ? []
          : [
              family('queue_messages', 'gauge', 'Messages in the task queue.', [
                ['{state="ready"}', depth.ready],
                ['{state="leased"}', depth.leased],
                ['{state="delayed"}', depth.delayed],
              ]),
            ]),
      ].join('')
    },
  }
  return metrics
}

function family(name: string, kind: string, help: string, samples: readonly (readonly [string, number])[]): string {
  const lines = samples.map(([labels, value]) => `${PREFIX}_${name}${labels} ${value}\n`)
  return `# HELP ${PREFIX}_${name} ${help}\n# TYPE ${PREFIX}_${name} ${kind}\n${lines.join('')}`
}
