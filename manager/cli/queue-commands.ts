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
  if (count === 0) terminal.print('Queue is empty. No messages available.')
  else if (options.has('detail')) await showOne(queue, invocation)
  return 0
}

async function showOne(queue: Queue, { terminal }: Invocation): Promise<void> {
  const [delivery] = await queue.receive({ maxMessages: 1, waitSeconds: 2 })
  if (delivery === undefined) {
    terminal.print('No task could be received.')
    terminal.print('The tasks may be in the hands of agents, or waiting for their delay.')
    terminal.print('Try again in a moment.')
    return
  }
  await queue.release([delivery.receipt], 0)
  const { task_id: id, data } = parseBody(delivery.body)
  terminal.print(`Task ID: ${typeof id === 'string' ? id : '(none)'}`)
  terminal.print(`Receipt: ${delivery.receipt.slice(0, 50)}`)
  terminal.print(`Data:\n${JSON.stringify(data ?? delivery.body, undefined, 2)}`)
  terminal.print('The task was not removed from the queue.')
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
    warning: 'removes all messages from',
    done: 'has been emptied',
    act: queue => queue.admin.purge(),
  })
}

export function deleteQueueCommand(invocation: Invocation): Promise<number> {
  return onQueues(invocation, {
    word: 'DELETE',
    warning: 'permanently deletes',
    done: 'has been deleted',
    act: queue => queue.admin.remove(),
  })
}

interface QueueDeed {
  readonly word: string
  readonly warning: string
  readonly done: string
  readonly act: (queue: Queue) => Promise<void>
}

async function onQueues(invocation: Invocation, { word, warning, done, act }: QueueDeed): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const chosen = [
    ...(options.has('event-queue-only') ? [] : [job.queues.tasks]),
    ...(options.has('task-queue-only') ? [] : [job.queues.events]),
  ]
  for (const queue of chosen) {
    const depth = await queue.admin.depth()
    if (depth === undefined) {
      terminal.print(`Queue '${queue.name}' does not exist.`)
      continue
    }
    terminal.print(`Queue '${queue.name}' holds ${depth.ready + depth.leased + depth.delayed} messages.`)
    if (!options.has('force')) {
      const question = `This ${warning} '${queue.name}'. Type '${word} ${queue.name}' to confirm: `
      const answer = await terminal.ask(question, { piped: true })
      if (answer !== `${word} ${queue.name}`) {
        terminal.print('Operation cancelled.')
        return 0
      }
    }
    await act(queue)
    terminal.print(`Queue '${queue.name}' ${done}.`)
  }
  return 0
}
