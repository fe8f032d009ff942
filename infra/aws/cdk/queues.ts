// The three queues of a job, under the names by which agents and managers find them.
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { deadLetterQueueName, eventQueueName } from '../../../core/names.ts'

export interface JobQueues {
  readonly tasks: Queue
  readonly events: Queue
  readonly dead: Queue
}

const RETENTION = Duration.days(14) // the most that SQS has: results wait there for somebody to collect them
const MAX_RECEIVES = 1000 // the most that SQS has: it counts a task that is handed back too, so the agents' own rules must win

export function makeQueues(
  scope: Construct,
  { queueName, leaseSeconds }: { readonly queueName: string; readonly leaseSeconds: number },
): JobQueues {
  const make = (id: string, name: string, deadLetters?: Queue) =>
    new Queue(scope, id, {
      queueName: name,
      retentionPeriod: RETENTION,
      visibilityTimeout: Duration.seconds(leaseSeconds),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(deadLetters && { deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIVES } }),
    })
  const dead = make('DeadLetterQueue', deadLetterQueueName(queueName))
  const events = make('EventQueue', eventQueueName(queueName))
  return { dead, events, tasks: make('TaskQueue', queueName, dead) }
}
