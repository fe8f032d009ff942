// The page of a job in the console of CloudWatch: what waits, what runs, what it costs.
import { Alarm, AlarmStatusWidget, Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Function as LambdaFn } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { alarmName, type JobAlarms, managerMetric } from './alarms.ts'
import type { JobQueues } from './queues.ts'
import { ownArn } from './statements.ts'

interface DashboardParts {
  readonly jobId: string
  readonly queues: JobQueues
  readonly alarms: JobAlarms
  readonly manager: LambdaFn | undefined
}

export function makeDashboard(scope: Construct, { jobId, queues, alarms, manager }: DashboardParts): Dashboard {
  const { tasks, events, dead } = queues
  const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
    new GraphWidget({ title, left, right, width: 12, liveData: true })
  return new Dashboard(scope, 'Dashboard', {
    dashboardName: `cloud-tasks-${jobId}`,
    widgets: [
      [
        new AlarmStatusWidget({
          title: 'Alarms',
          width: 24,
          height: 2,
          alarms: Object.values(alarms).map(({ node: { id } }: Alarm) =>
            Alarm.fromAlarmArn(scope, `Shown${id}`, ownArn(scope, 'cloudwatch', `alarm:${alarmName(jobId, id)}`)),
          ),
        }),
      ],
      [
        graph('Tasks', [
          tasks.metricApproximateNumberOfMessagesVisible({ label: 'waiting' }),
          tasks.metricApproximateNumberOfMessagesNotVisible({ label: 'running' }),
          dead.metricApproximateNumberOfMessagesVisible({ label: 'failed for good' }),
        ]),
        graph(
          'Tasks ended, and results that wait to be collected',
          [tasks.metricNumberOfMessagesDeleted({ label: 'ended' })],
          [events.metricApproximateNumberOfMessagesVisible({ label: 'results waiting' })],
        ),
      ],
      ...(manager === undefined
        ? []
        : [
            [
              graph('VMs', [managerMetric(jobId, 'Vms')]),
              graph('Money (USD)', [managerMetric(jobId, 'SpentUsd')], [managerMetric(jobId, 'UsdPerHour')]),
            ],
            [graph('Manager', [manager.metricDuration()], [manager.metricErrors()])],
          ]),
    ],
  })
}
