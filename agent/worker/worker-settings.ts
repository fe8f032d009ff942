// From what a worker was told to the settings of an agent: options of the constructor beat the command line, which beats the
// environment, which beats the job file.
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { layerConfig } from '../../core/config-layers.ts'
import { messageOf, UserError } from '../../core/errors.ts'
import { parseJobFile } from '../../core/job-file.ts'
import type { RetryPolicy } from '../../core/retry.ts'
import type { AgentSettings } from '../../core/settings.ts'
import { parseCommandLine } from '../command-line.ts'
import type { Env } from '../connections.ts'
import type { QueueWorkerOptions, WorkerOptions } from './worker-options.ts'

type Asked = Omit<WorkerOptions, 'taskSource'> & Pick<QueueWorkerOptions, 'tasks'>
type Known = { readonly [K in keyof AgentSettings]?: AgentSettings[K] | undefined }

export interface WorkerSettings {
  readonly settings: AgentSettings
  readonly policy: RetryPolicy
  readonly verbose: boolean
  readonly ask: 'run' | 'help' | 'version'
}

export async function workerSettings(options: Asked, args: readonly string[], env: Env): Promise<WorkerSettings> {
  const commandLine = parseCommandLine(args, env)
  if (commandLine.task !== undefined) {
    throw new UserError('This script is the task itself: leave out the module or command.', { exitCode: 2 })
  }
  const given = withoutUndefined(asked(options))
  const settings = { ...commandLine.settings, ...given }
  if (options.configFile === undefined) return complete(settings)
  // Whatever the file says counts only where nothing else says it: settings that are equal to those of an empty world.
  const nothing = parseCommandLine([], {}).settings
  const file = await configFileSettings(options.configFile, settings.provider)
  const unsaid = Object.entries(withoutUndefined(file)).filter(
    ([name]) => !(name in given) && settingOf(commandLine.settings, name) === settingOf(nothing, name),
  )
  return complete({ ...settings, ...Object.fromEntries(unsaid) })

  function complete(all: AgentSettings): WorkerSettings {
    const { retryDelay } = options
    const policy = retryDelay === undefined ? all : { ...all, retryDelaySeconds: checked('retryDelay', retryDelay, 0) }
    return { settings: all, policy, verbose: commandLine.verbose, ask: commandLine.ask }
  }
}

function asked(options: Asked): Known {
  const { maxRetries, maxMemoryMb, processBatch, batchSize } = options
  const retry = options.retryFailed ?? (maxRetries === undefined ? undefined : true)
  if (options.maxCpuPercent !== undefined) checked('maxCpuPercent', options.maxCpuPercent, 1)
  return {
    provider: options.provider,
    queueName: options.queueName,
    jobId: options.jobId,
    region: options.region,
    projectId: options.projectId,
    leaseSeconds: options.visibilityTimeout && checked('visibilityTimeout', options.visibilityTimeout, 0.1),
    slotCount: checked('maxWorkers', options.maxWorkers ?? (processBatch ? undefined : batchSize), 1),
    maxTaskCount: checked('maxTasks', options.maxTasks, 0),
    maxRuntimeSeconds: checked('timeout', options.timeout, 0.001),
    retryOnException: retry,
    retryOnExit: retry,
    retryOnTimeout: retry,
    maxAttempts: maxRetries === undefined ? undefined : checked('maxRetries', maxRetries, 0) + 1,
    maxMemoryPerTaskGb: maxMemoryMb === undefined ? undefined : checked('maxMemoryMb', maxMemoryMb, 1) / 1024,
    shutdownGraceSeconds: checked('gracefulShutdown', options.gracefulShutdown, 0),
  }
}

/** Of the job file: what an agent can use. */
async function configFileSettings(path: string, provider: string | undefined): Promise<Known> {
  let content: unknown
  try {
    content = parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new UserError(`Job file ${path} cannot be read: ${messageOf(cause).split('\n')[0]}.`, { cause })
  }
  const parsed = parseJobFile(content ?? {})
  if ('problems' in parsed) {
    throw new UserError(
      parsed.problems.map(({ path: keys, message }) => `${path}: ${keys.join('.')} ${message}.`).join(' '),
    )
  }
  const { file } = parsed
  const layered = layerConfig({ file, commandLine: {}, provider: provider?.toLowerCase() })
  const { values, sources } = layered
  const said = <Value>(key: string, value: Value) => (sources[key] === 'default' ? undefined : value)
  return {
    provider: layered.provider,
    jobId: values.job_id,
    queueName: values.queue_name,
    region: values.region,
    projectId: values.project_id,
    exactlyOnceQueue: said('exactly_once_queue', values.exactly_once_queue),
    localRoot: values.root === undefined ? undefined : resolve(dirname(path), values.root),
    maxRuntimeSeconds: said('max_runtime', values.max_runtime),
    maxAttempts: said('max_attempts', values.max_attempts),
    maxPreemptions: values.max_preemptions,
    leaseSeconds: said('lease_seconds', values.lease_seconds),
    retryOnExit: values.retry_on_exit,
    retryOnException: values.retry_on_exception,
    retryOnTimeout: values.retry_on_timeout,
  }
}

/** Also undefined: then nobody asked. */
function checked<Value extends number | undefined>(name: string, value: Value, least: number): Value {
  if (value === undefined || (Number.isFinite(value) && value >= least)) return value
  throw new UserError(`${name} must be a number >= ${least}, got ${value}.`)
}

function withoutUndefined(known: Known): Partial<AgentSettings> {
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
}

function settingOf(settings: AgentSettings, name: string): unknown {
  return Object.entries(settings).find(([key]) => key === name)?.[1]
}
