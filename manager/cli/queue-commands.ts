// show_queue, purge_queue, delete_queue: looking at a job's queues and emptying them, never without an exact yes.
import type { JsonObject } from '../../core/task.ts'
import type { Queue } from '../../infra/provider.ts'
import type { Invocation } from './invocation.ts'
import { openJob } from './open-job.ts'

export async function showQueueCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const queue = job.queues.tasks
  const json = options.has('json')
  if (!json) terminal.print(`Checking queue depth for '${queue.name}'...`)
  const depth = await queue.admin.depth()
  if (json) {
    terminal.print(JSON.stringify({ queue_name: queue.name, exists: depth !== undefined, ...depth }))
    return depth === undefined ? 1 : 0
  }
  if (depth === undefined) {
    terminal.print(`Queue '${queue.name}' does not exist.`)
    return 1
  }
  const count = depth.ready + depth.delayed
  terminal.print(`Queue depth: ${count}${depth.estimated ? ' (estimated)' : ''}`)
  if (depth.leased > 0) terminal.print(`In the hands of agents: ${depth.leased}`)
  if (count === 0) terminal.print('\nQueue is empty. No messages available.')
  else if (options.has('detail')) await showOne(queue, invocation)
  return 0
}

const RULE = '-'.repeat(50)

async function showOne(queue: Queue, { terminal }: Invocation): Promise<void> {
  terminal.print('\nAttempting to peek at first message...')
  const [delivery] = await queue.receive({ maxMessages: 1, waitSeconds: 2 })
  if (delivery === undefined) {
    terminal.print('\nCould not retrieve a sample message. This might happen if:')
    terminal.print('  - Another consumer received the message')
    terminal.print('  - The message is not available for immediate delivery')
    terminal.print("  - There's an issue with queue visibility settings")
    return
  }
  await queue.release([delivery.receipt], 0)
  const { task_id: id, data } = parseBody(delivery.body)
  terminal.print(`\n${RULE}\nSAMPLE MESSAGE\n${RULE}`)
  terminal.print(`Task ID: ${typeof id === 'string' ? id : 'unknown'}`)
  terminal.print(`Receipt Handle: ${delivery.receipt.slice(0, 50)}${delivery.receipt.length > 50 ? '...' : ''}`)
  terminal.print(`\nData:\n${JSON.stringify(data ?? delivery.body, undefined, 2)}`)
  terminal.print('\nNote: Message was not removed from the queue.')
}

function parseBody(body: string): JsonObject {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as JsonObject) : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

export function purgeQueueCommand(invocation: Invocation): Promise<number> {
  return onQueues(invocation, {
    word: 'EMPTY',
    countFirst: true,
    warning: (name, count, provider) =>
      `This will permanently delete all ${count}+ messages from queue '${name}' on '${provider}'.`,
    doing: name => `Emptying queue '${name}'...`,
    done: 'has been emptied',
    act: queue => queue.admin.purge(),
  })
}

export function deleteQueueCommand(invocation: Invocation): Promise<number> {
  return onQueues(invocation, {
    word: 'DELETE',
    countFirst: false,
    warning: (name, _count, provider) =>
      `This will permanently delete the queue '${name}' from ${provider}.\n` +
      'This operation cannot be undone and will remove all infrastructure.',
    doing: (name, provider) => `Deleting queue '${name}' from ${provider}...`,
    done: 'has been deleted',
    act: queue => queue.admin.remove(),
  })
}

interface QueueDeed {
  /** Before the queue's name it is the exact yes. */
  readonly word: string
  readonly countFirst: boolean
  readonly warning: (queueName: string, messageCount: number, provider: string) => string
  readonly doing: (queueName: string, provider: string) => string
  readonly done: string
  readonly act: (queue: Queue) => Promise<void>
}

/** A no stops the command; what was done to the queue before stays done. */
async function onQueues(invocation: Invocation, deed: QueueDeed): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const provider = job.provider.name.toUpperCase()
  const { tasks, events } = job.queues
  const chosen = [
    ...(options.has('event-queue-only') ? [] : [{ title: 'Task queue', queue: tasks }]),
    ...(options.has('task-queue-only') ? [] : [{ title: 'Event queue', queue: events }]),
  ]
  for (const { title, queue } of chosen) {
    const { name } = queue
    const depth = await queue.admin.depth()
    if (depth === undefined) {
      terminal.print(`${title} '${name}' does not exist.`)
      continue
    }
    const count = depth.ready + depth.leased + depth.delayed
    if (deed.countFirst) terminal.print(`${title} '${name}' has ${count} messages.`)
    if (!options.has('force') && !(await agrees(name, deed.warning(name, count, provider), deed.word, invocation))) {
      terminal.print('Operation cancelled.')
      return 0
    }
    terminal.print(deed.doing(name, provider))
    await deed.act(queue)
    terminal.print(`Queue '${name}' ${deed.done}.`)
  }
  return 0
}

async function agrees(name: string, warning: string, word: string, { terminal }: Invocation): Promise<boolean> {
  const question = `\nWARNING: ${warning}\nType '${word} ${name}' to confirm: `
  return (await terminal.ask(question, { piped: true })) === `${word} ${name}`
}
