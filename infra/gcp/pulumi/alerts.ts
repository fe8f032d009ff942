// What somebody should hear of: tasks that get old, tasks that failed for good, money, and a manager that cannot work.
import type { Service } from '@pulumi/gcp/cloudrunv2/service.js'
import { AlertPolicy } from '@pulumi/gcp/monitoring/alertPolicy.js'
import { type Input, interpolate, type Output } from '@pulumi/pulumi'
import type { Place } from './place.ts'
import type { JobQueues } from './queues.ts'

/** In the console, and to those whom `notify` names. */
export interface JobAlerts {
  readonly oldestTask: AlertPolicy
  readonly deadLetters: AlertPolicy
  /** Only with a serverless manager, as the next. */
  readonly managerFailures?: AlertPolicy
  /** The manager has stopped the job. */
  readonly stopped?: AlertPolicy
  /** Only where the job has a `max_total_cost` and a serverless manager, which reckons the spending. */
  readonly spending?: AlertPolicy
}

interface AlertParts {
  readonly queues: JobQueues
  readonly oldestTaskSeconds: number
  readonly maxTotalCostUsd: number | undefined
  readonly manager: Service | undefined
  /** Notification channels. */
  readonly notify: readonly Input<string>[]
}

const SPENT_SHARE = 0.9 // of max_total_cost, where the manager ends everything
const FAILURES = 5 // looks in a row are five minutes

export function makeAlerts(place: Place, parts: AlertParts): JobAlerts {
  const { queues, oldestTaskSeconds, maxTotalCostUsd, manager } = parts
  const hours = Math.round(oldestTaskSeconds / 360) / 10
  const { make, makeOfLog } = alertMakers(place, parts.notify)
  const ofSubscription = (metric: string, { subscription }: JobQueues['tasks']) =>
    interpolate`resource.type = "pubsub_subscription" AND resource.labels.subscription_id = "${subscription.name}" AND metric.type = "pubsub.googleapis.com/subscription/${metric}"`
  return {
    oldestTask: make('oldest-task', `a task waits since ${hours} h`, {
      filter: ofSubscription('oldest_unacked_message_age', queues.tasks),
      above: oldestTaskSeconds,
      aligner: 'ALIGN_MAX',
    }),
    deadLetters: make('dead-letters', 'tasks have failed for good; see them with "cloud-tasks requeue"', {
      filter: ofSubscription('num_undelivered_messages', queues.dead),
      above: 0,
      aligner: 'ALIGN_MAX',
    }),
    ...(manager && {
      managerFailures: make('manager-fails', 'the manager has failed for five minutes; its log says why', {
        filter: interpolate`resource.type = "cloud_run_revision" AND resource.labels.service_name = "${manager.name}" AND metric.type = "run.googleapis.com/request_count" AND metric.labels.response_code_class = "5xx"`,
        above: FAILURES - 1,
        aligner: 'ALIGN_SUM',
      }),
      stopped: makeOfLog('stopped', 'the manager has stopped it; "cloud-tasks status" says why', {
        manager,
        filter: 'jsonPayload.stopped = true',
      }),
    }),
    ...(manager &&
      maxTotalCostUsd !== undefined && {
        spending: makeOfLog('spending', `${SPENT_SHARE * 100} % of max_total_cost (${maxTotalCostUsd} USD) is spent`, {
          manager,
          filter: `jsonPayload.spentUsd >= ${maxTotalCostUsd * SPENT_SHARE}`,
        }),
      }),
  }
}

interface MetricCondition {
  readonly filter: Output<string>
  readonly above: number
  /** Of all that was measured in five minutes. */
  readonly aligner: 'ALIGN_MAX' | 'ALIGN_SUM'
}

interface LogCondition {
  readonly manager: Service
  readonly filter: string
}

function alertMakers({ jobId, project, parent }: Place, notify: readonly Input<string>[]) {
  const made = (id: string, what: string) => ({
    project,
    displayName: `Cloud Tasks ${jobId}: ${id.replaceAll('-', ' ')}`,
    combiner: 'OR',
    documentation: { content: `Cloud Tasks job ${jobId}: ${what}.`, mimeType: 'text/markdown' },
    notificationChannels: [...notify],
    userLabels: { 'cloud-tasks-job': jobId },
  })
  return {
    make: (id: string, what: string, { filter, above, aligner }: MetricCondition) =>
      new AlertPolicy(
        `alert-${id}`,
        {
          ...made(id, what),
          conditions: [
            {
              displayName: what,
              conditionThreshold: {
                filter,
                comparison: 'COMPARISON_GT',
                thresholdValue: above,
                duration: '0s',
                aggregations: [{ alignmentPeriod: '300s', perSeriesAligner: aligner }],
              },
            },
          ],
        },
        { parent },
      ),
    makeOfLog: (id: string, what: string, { manager, filter }: LogCondition) =>
      new AlertPolicy(
        `alert-${id}`,
        {
          ...made(id, what),
          conditions: [
            {
              displayName: what,
              conditionMatchedLog: {
                filter: interpolate`resource.type = "cloud_run_revision" AND resource.labels.service_name = "${manager.name}" AND ${filter}`,
              },
            },
          ],
          // Both are the API's demands on alerts of logs.
          alertStrategy: { notificationRateLimit: { period: '3600s' }, autoClose: '86400s' },
        },
        { parent },
      ),
  }
}
