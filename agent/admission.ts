// Looks at what comes from the queue and says what can be run now. What cannot is taken care of here: bodies that are no
// tasks, messages that kill whoever takes them, tasks that are too early or to be skipped, checkpoints that lie elsewhere.
import { messageOf } from '../core/errors.ts'
import type { Delivery } from '../infra/provider.ts'
import { type AttemptContext, checkpointUrl, quarantineReport } from './attempt-report.ts'
import { type HeldTask, holdTask } from './held-task.ts'
import type { Log } from './log.ts'
import type { Reporter } from './reporter.ts'

// Where giving back counts as well: a task that waited in ten agents that were taken away has killed none of them.
const HAND_OUTS_PER_ATTEMPT = 10
const SHOWN_CHARS = 200 // of a body that is no task

export interface AdmissionOptions {
  readonly queueName: string
  readonly context: AttemptContext
  readonly maxAttempts: number
  readonly tasksToSkip: number
  readonly reporter: Reporter
  readonly log: Log
  readonly keepLeases: (tasks: readonly HeldTask[]) => void
  readonly release: (tasks: readonly HeldTask[], delaySeconds: number) => void
  /** Runs beside everything else; the agent does not end before it has. */
  readonly track: (work: Promise<void>) => void
  /** A task whose checkpoint had to be fetched first. */
  readonly ready: (task: HeldTask) => void
}

export interface Admission {
  admit(deliveries: readonly Delivery[]): readonly HeldTask[]
  /** Held for as long as the agent runs, so that they do not come again. */
  skipped(): readonly HeldTask[]
}

export function openAdmission(options: AdmissionOptions): Admission {
  const { queueName, context, maxAttempts, reporter, log, keepLeases, release, track, ready } = options
  const { origin, objects, maxDelaySeconds, releasesCount } = context
  const maxHandOuts = maxAttempts * (releasesCount ? HAND_OUTS_PER_ATTEMPT : 1)
  const skipped: HeldTask[] = []

  return {
    skipped: () => skipped,
    admit(deliveries) {
      const admitted: HeldTask[] = []
      const held: HeldTask[] = []
      const nowMs = Date.now()
      for (const delivery of deliveries) {
        const task = holdTask(delivery)
        if (typeof task === 'string') {
          reject(delivery, task)
          continue
        }
        held.push(task)
        if (delivery.deliveryCount > maxHandOuts) reporter.add(quarantineReport(task, context))
        else if (task.notBeforeMs > nowMs) putOff(task, (task.notBeforeMs - nowMs) / 1000)
        else if (skipped.length < options.tasksToSkip) skipped.push(task)
        else if (task.checkpoint !== undefined && checkpointUrl(task.checkpoint) !== undefined)
          track(fetchCheckpoint(task))
        else admitted.push(task)
      }
      keepLeases(held)
      return admitted
    },
  }

  /** A wait of several hand-outs would look like a task that kills its agents: a copy begins anew. Copy first, ack second. */
  function putOff(task: HeldTask, waitSeconds: number): void {
    const delaySeconds = Math.min(waitSeconds, maxDelaySeconds)
    if (releasesCount && waitSeconds > maxDelaySeconds) {
      reporter.add({ task, event: undefined, successor: { body: task.body, taskId: task.taskId, delaySeconds } })
    } else release([task], delaySeconds)
  }

  function reject({ body, receipt }: Delivery, problem: string): void {
    const start = `${body.slice(0, SHOWN_CHARS)}${body.length > SHOWN_CHARS ? '…' : ''}`
    const exception = `A message in ${queueName} is not a task: ${problem}. It goes to the dead letters. It begins: ${start}`
    log.error(exception)
    const standIn = holdTask({ body: '{"task_id":"?","data":{}}', receipt, deliveryCount: 1 })
    if (typeof standIn === 'string') throw new Error(standIn)
    const event = origin.notice({ kind: 'non_fatal_exception', exception })
    reporter.add({ task: standIn, event, letter: { body } })
  }

  async function fetchCheckpoint(task: HeldTask): Promise<void> {
    const url = checkpointUrl(task.checkpoint)
    let checkpoint: unknown
    try {
      if (objects === undefined || url === undefined) throw new Error('there is no object store.')
      const chunks: Uint8Array[] = []
      for await (const chunk of objects.read(url)) chunks.push(chunk)
      checkpoint = JSON.parse(Buffer.concat(chunks).toString())
    } catch (error) {
      log.warning(`The checkpoint of task "${task.taskId}" cannot be read, it starts afresh: ${messageOf(error)}`)
    }
    task.line = `${JSON.stringify({ ...JSON.parse(task.body), checkpoint })}\n`
    ready(task)
  }
}
