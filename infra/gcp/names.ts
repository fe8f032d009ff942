// What a queue consists of on Pub/Sub. Must stay equal to the Python system's names, which shares queues with us.

/** Ids within the project. */
export function topicId(queueName: string): string {
  return `${queueName}-topic`
}

export function subscriptionId(queueName: string): string {
  return `${queueName}-subscription`
}

export function topicPath(projectId: string, queueName: string): string {
  return `projects/${projectId}/topics/${topicId(queueName)}`
}

export function subscriptionPath(projectId: string, queueName: string): string {
  return `projects/${projectId}/subscriptions/${subscriptionId(queueName)}`
}
