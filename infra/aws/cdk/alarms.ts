// What somebody should hear of: tasks that get old, tasks that failed for good, money, and a manager that cannot work.
import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import type { Function as LambdaFn } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { JobQueues } from './queues.ts'

/** Without actions: add your own with `addAlarmAction`. */
export interface JobAlarms {
  readonly oldestTask: Alarm
  readonly deadLetters: Alarm
  /** Only where the job has a `max_total_cost` and a serverless manager, which reckons the spending. */
  readonly spending?: Alarm
  /** Only with a serverless manager, as the next. */
  readonly managerFailures?: Alarm
  /** The manager has stopped the job. */
  readonly stopped?: Alarm
}

interface AlarmParts {
  readonly jobId: string
  readonly queues: JobQueues
  readonly oldestTask: Duration
  readonly maxTotalCostUsd: number | undefined
  readonly manager: LambdaFn | undefined
}

const SPENT_SHARE = 0.9 // of max_total_cost, where the manager ends everything
const MINUTE = Duration.minutes(1)

export function makeAlarms(scope: Construct, parts: AlarmParts): JobAlarms {
  const { jobId, queues, oldestTask, maxTotalCostUsd, manager } = parts
  const job = `Cloud Tasks job ${jobId}`
  const make = (id: string, metric: Metric, threshold: number, periods: number, alarmDescription: string) =>
    new Alarm(scope, id, {
      alarmName: alarmName(jobId, id),
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription,
    })
  return {
    oldestTask: make(
      'OldestTaskAlarm',
      queues.tasks.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(5), statistic: 'Maximum' }),
      oldestTask.toSeconds(),
      3,
      `${job}: a task waits since ${oldestTask.toHumanString()}`,
    ),
    deadLetters: make(
      'DeadLetterAlarm',
      queues.dead.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: 'Maximum' }),
      1,
      1,
      `${job}: tasks have failed for good; see them with "cloud-tasks requeue"`,
    ),
    ...(manager && {
      managerFailures: make(
        'ManagerAlarm',
        manager.metricErrors({ period: Duration.minutes(5), statistic: 'Sum' }),
        5,
        1,
        `${job}: the manager has failed for five minutes; its log says why`,
      ),
      stopped: make(
        'StoppedAlarm',
        managerMetric(jobId, 'Stopped'),
        1,
        1,
        `${job}: the manager has stopped it; "cloud-tasks status" says why`,
      ),
    }),
    ...(manager &&
      maxTotalCostUsd !== undefined && {
        spending: make(
          'SpendingAlarm',
          managerMetric(jobId, 'SpentUsd'),
          maxTotalCostUsd * SPENT_SHARE,
          1,
          `${job}: ${SPENT_SHARE * 100} % of max_total_cost (${maxTotalCostUsd} USD) is spent`,
        ),
      }),
  }
}

/** Fixed, so that people find them, and the dashboard does too. */
export function alarmName(jobId: string, id: string): string {
  return `cloud-tasks-${jobId}-${id.replace(/Alarm$/, '')}`
}

/** Of those that the manager writes into its log. */
export function managerMetric(jobId: string, metricName: string): Metric {
  return new Metric({
    namespace: 'CloudTasks',
    metricName,
    dimensionsMap: { JobId: jobId },
    period: MINUTE,
    statistic: 'Maximum',
  })
}
