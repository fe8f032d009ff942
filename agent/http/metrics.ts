// Counts what the API did, for Prometheus and for the health check.
import { type Labels, renderMetrics } from '../../core/metrics-text.ts'
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

export function openMetrics(): Metrics {
  const requests = new Map<string, { readonly labels: Labels; count: number }>()
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
      const key = `${route} ${status}`
      const counted = requests.get(key)
      if (counted === undefined) requests.set(key, { labels: { route, status: String(status) }, count: 1 })
      else counted.count++
    },
    render: ({ live, depth }) =>
      renderMetrics({
        cloud_tasks_http_uptime_seconds: (Date.now() - metrics.startedAtMs) / 1000,
        cloud_tasks_http_requests_total: [...requests.values()].map(({ labels, count }) => [labels, count] as const),
        cloud_tasks_http_tasks_claimed_total: metrics.claims,
        cloud_tasks_http_tasks_completed_total: metrics.completed,
        cloud_tasks_http_tasks_failed_total: [
          [{ retried: 'false' }, metrics.failedFinal],
          [{ retried: 'true' }, metrics.failedRetried],
        ],
        cloud_tasks_http_claims_expired_total: metrics.expired,
        cloud_tasks_http_tasks_created_total: metrics.created,
        cloud_tasks_http_heartbeats_total: metrics.heartbeats,
        cloud_tasks_http_processing_seconds_total: metrics.processingSeconds,
        cloud_tasks_http_claims: live,
        cloud_tasks_http_queue_messages: depth && [
          [{ state: 'ready' }, depth.ready],
          [{ state: 'leased' }, depth.leased],
          [{ state: 'delayed' }, depth.delayed],
        ],
      }),
  }
  return metrics
}
