// What an agent is connected to: the queues of its job, the log of its events, the VM it runs on. Opened from its settings.

import { UserError } from '../core/errors.ts'
import type { VmId } from '../core/ids.ts'
import { deadLetterQueueName, eventQueueName } from '../core/names.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { Task } from '../core/task.ts'
import { openProvider } from '../infra/open-provider.ts'
import {
  type Instance,
  type Objects,
  PROVIDER_NAMES,
  type Provider,
  type ProviderLimits,
  type ProviderName,
  type Queue,
} from '../infra/provider.ts'
import { bounded } from './bounded.ts'
import { bothSinks, fileSink, noSink, queueSink } from './event-sinks.ts'
import { type FileQueue, openFileQueue } from './file-queue.ts'
import { openJobObjects } from './job-objects.ts'
import { type EventOrigin, newSession, openOrigin } from './origin.ts'
import type { EventSink } from './reporter.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface Connections {
  readonly queueName: string | undefined
  /** For messages: where tasks come from. */
  readonly source: string
  /** The first that may fail because of what the user gave: a missing task file is a UserError. */
  openTasks(): Promise<Queue | FileQueue>
  readonly deadLetters: Pick<Queue, 'send'>
  readonly events: EventSink
  /** Where events go to a queue, for keep-alives. */
  readonly eventQueue: Queue | undefined
  readonly eventsToFile: boolean
  readonly limits: AgentLimits
  readonly objects: Objects | undefined
  readonly instance: Instance | undefined
  readonly origin: EventOrigin
  close(): Promise<void>
}

/** What of a provider's limits an agent needs. */
export type AgentLimits = Pick<ProviderLimits, 'maxBodyBytes' | 'maxDelaySeconds' | 'releasesCount' | 'gatherSeconds'>

/** Tasks of a program's own, in the place of a queue or a file. */
export interface OwnTasks {
  readonly name: string
  readonly batches: AsyncIterable<readonly Task[]>
}

const DESCRIBE_MS = 5000 // a metadata service that does not answer must not keep us from working
const NO_LIMITS = { maxBodyBytes: 64 * 1024 ** 2, maxDelaySeconds: Number.POSITIVE_INFINITY } // of a log file

/** Rejects with a UserError for settings that do not fit together. */
export async function openConnections(settings: AgentSettings, env: Env, own?: OwnTasks): Promise<Connections> {
  const provider = await openSettingsProvider(settings, env)
  const queueName = settings.queueName ?? settings.jobId
  const { taskFile } = settings
  const withoutQueue = taskFile !== undefined || own !== undefined
  if (!withoutQueue && provider === undefined) {
    throw new UserError(
      'Provider must be specified with --provider or RMS_CLOUD_TASKS_PROVIDER, unless there is a --task-file.',
    )
  }
  if (!withoutQueue && queueName === undefined) {
    throw new UserError(
      'The queue is not known: give --queue-name or --job-id (RMS_CLOUD_TASKS_JOB_ID), or a --task-file.',
    )
  }
  const eventsToFile = settings.eventLogToFile ?? withoutQueue
  const eventsToQueue = settings.eventLogToQueue ?? !withoutQueue
  if (eventsToQueue && (provider === undefined || queueName === undefined)) {
    throw new UserError('Events can go to a queue only with --provider and --queue-name or --job-id.')
  }

  const instance = provider?.openInstance()
  const objects = provider && openJobObjects(provider, settings.jobId ?? queueName)
  const openQueue = (name: string) => provider?.openQueue(name, { leaseSeconds: settings.leaseSeconds })
  const eventQueue = eventsToQueue && queueName !== undefined ? openQueue(eventQueueName(queueName)) : undefined
  const letters = withoutQueue || queueName === undefined ? undefined : openQueue(deadLetterQueueName(queueName))
  return {
    queueName,
    source: own?.name ?? taskFile ?? queueName ?? '',
    async openTasks() {
      if (own !== undefined) return openFileQueue(own.name, own.batches)
      if (taskFile !== undefined) return openTaskFile(taskFile, settings, objects)
      const queue = openQueue(queueName ?? '')
      if (queue === undefined) throw new Error('There is no queue.')
      return queue
    },
    deadLetters: letters ?? NO_QUEUE,
    events: eventSink(eventQueue, eventsToFile ? settings.eventLogFile : undefined),
    eventQueue,
    eventsToFile,
    limits: withoutQueue && !eventsToQueue ? NO_LIMITS : (provider?.limits ?? NO_LIMITS),
    objects,
    instance,
    origin: openOrigin(await describeId(instance), newSession()),
    close: async () => provider?.close(),
  }
}

export function isFileQueue(queue: Queue): queue is FileQueue {
  return 'exhausted' in queue
}

async function openTaskFile(location: string, settings: AgentSettings, objects: Objects | undefined): Promise<Queue> {
  const { readTaskFile } = await import('../infra/task-file/read-task-file.ts')
  const { tasksToSkip: skip, maxTaskCount: limit } = settings
  const batches = readTaskFile(location, {
    skip,
    ...(limit === undefined ? undefined : { limit }),
    ...(objects && { objects }),
  })
  return openFileQueue(location, batches)
}

/** undefined = no provider is set. */
export async function openSettingsProvider(settings: AgentSettings, env: Env): Promise<Provider | undefined> {
  if (settings.provider === undefined) return undefined
  const name = settings.provider.toLowerCase()
  const known = PROVIDER_NAMES.find(candidate => candidate === name)
  if (known === undefined) {
    throw new UserError(`Unknown provider "${settings.provider}": it must be one of ${PROVIDER_NAMES.join(', ')}.`)
  }
  const { region, projectId, localRoot, exactlyOnceQueue, bucket } = settings
  return openProvider(known satisfies ProviderName, {
    ...(region === undefined ? undefined : { region }),
    ...(bucket === undefined ? undefined : { bucket }),
    ...(projectId === undefined ? undefined : { projectId }),
    ...(localRoot === undefined ? undefined : { local: { root: localRoot } }),
    exactlyOnceQueue,
    env,
  })
}

function eventSink(queue: Queue | undefined, file: string | undefined): EventSink {
  const toQueue = queue === undefined ? undefined : queueSink(queue)
  const toFile = file === undefined ? undefined : fileSink(file)
  if (toQueue !== undefined && toFile !== undefined) return bothSinks(toFile, toQueue)
  return toQueue ?? toFile ?? noSink
}

/** The id under which the manager lists this VM; the host name where nothing answers. */
async function describeId(instance: Instance | undefined): Promise<VmId | undefined> {
  if (instance === undefined) return undefined
  const described = await bounded(
    instance.describe().catch(() => undefined),
    DESCRIBE_MS,
  )
  return described?.id
}

/** A task file has no dead letters: the event says why. */
const NO_QUEUE: Pick<Queue, 'send'> = { send: async () => {} }
