// The three queues of a job, each a topic and its one subscription, under the names by which agents and managers find them.
import { getProjectOutput } from '@pulumi/gcp/organizations/getProject.js'
import { Subscription } from '@pulumi/gcp/pubsub/subscription.js'
import { SubscriptionIAMMember } from '@pulumi/gcp/pubsub/subscriptionIAMMember.js'
import { Topic } from '@pulumi/gcp/pubsub/topic.js'
import { TopicIAMMember } from '@pulumi/gcp/pubsub/topicIAMMember.js'
import { interpolate } from '@pulumi/pulumi'
import type { JobConfig } from '../../../core/job-config.ts'
import { deadLetterQueueName, eventQueueName } from '../../../core/names.ts'
import { PUBSUB_RETENTION_SECONDS } from '../limits.ts'
import { subscriptionId, topicId } from '../names.ts'
import { wholeLeaseSeconds } from '../queue-address.ts'
import type { Place } from './place.ts'

export interface JobQueue {
  readonly topic: Topic
  readonly subscription: Subscription
}

export interface JobQueues {
  readonly tasks: JobQueue
  readonly events: JobQueue
  readonly dead: JobQueue
}

// The most that Pub/Sub has: it counts a task that is handed back too, so the agents' own rules must win.
const MAX_DELIVERIES = 100

export function makeQueues(place: Place, queueName: string, config: JobConfig): JobQueues {
  const { jobId, project, parent } = place
  const labels = { 'cloud-tasks-job': jobId }
  const make = (id: string, name: string, deadLetters?: JobQueue): JobQueue => {
    const topic = new Topic(`${id}-topic`, { name: topicId(name), project, labels }, { parent })
    const subscription = new Subscription(
      `${id}-subscription`,
      {
        name: subscriptionId(name),
        project,
        topic: topic.id,
        labels,
        ackDeadlineSeconds: wholeLeaseSeconds(config.tasks.leaseSeconds),
        messageRetentionDuration: `${PUBSUB_RETENTION_SECONDS}s`,
        enableExactlyOnceDelivery: config.exactlyOnceQueue,
        expirationPolicy: { ttl: '' }, // never: a job may rest for months
        ...(deadLetters && {
          deadLetterPolicy: { deadLetterTopic: deadLetters.topic.id, maxDeliveryAttempts: MAX_DELIVERIES },
        }),
      },
      { parent },
    )
    return { topic, subscription }
  }
  const dead = make('dead', deadLetterQueueName(queueName))
  const events = make('events', eventQueueName(queueName))
  const tasks = make('tasks', queueName, dead)
  letPubSubMoveDeadLetters(place, tasks, dead)
  return { tasks, events, dead }
}

/** Pub/Sub acts as a service account of the project: https://cloud.google.com/pubsub/docs/handling-failures#grant_forwarding_permissions */
function letPubSubMoveDeadLetters({ project, parent }: Place, tasks: JobQueue, dead: JobQueue): void {
  const { number } = getProjectOutput({ projectId: project }, { parent })
  const member = interpolate`serviceAccount:service-${number}@gcp-sa-pubsub.iam.gserviceaccount.com`
  new TopicIAMMember(
    'pubsub-writes-dead',
    { project, topic: dead.topic.name, role: 'roles/pubsub.publisher', member },
    { parent },
  )
  new SubscriptionIAMMember(
    'pubsub-takes-tasks',
    { project, subscription: tasks.subscription.name, role: 'roles/pubsub.subscriber', member },
    { parent },
  )
}
