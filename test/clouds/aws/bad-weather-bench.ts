// Job folders whose AWS is moto behind a proxy that refuses what a test says, for tests of the command line.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { openProvider } from '../../../infra/aws/index.ts'
import type { Provider, Vm } from '../../../infra/provider.ts'
import { type Exchange, startFaultProxy } from '../../support/fault-proxy.ts'
import { type Ended, JobFolder } from '../../support/job-folder.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { motoSettings } from './moto-stack.ts'
import { actionOf, inProtocolOf, type Refusal } from './query-faults.ts'

export const TASK_COUNT = 20
export const STACK_TRACE = /^\s+at .+:\d+:\d+\)?$/m
export const EXPIRED = {
  status: 400,
  code: 'ExpiredToken',
  message: 'The security token included in the request is expired',
}
/** Of commands that load and run the tasks of a folder, whatever was there before. */
export const LOAD = ['load_queue', '--config', 'job.yml', '--task-file', 'tasks.json', '--force'] as const
export const RUN = ['run', ...LOAD.slice(1), '--catalog', 'catalog.json'] as const

const REGION = 'us-east-1'
const AGENT = join(import.meta.dirname, '../../../agent/main.ts')

export type Refusals = Readonly<Record<string, Refusal>>

interface FolderOptions {
  readonly run?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface WeatherBench {
  readonly moto: Moto
  /** Requests of commands and agents so far. */
  readonly countOf: (action: string) => number
  /** By action, `*` = all; refuses all requests of commands and agents from now on. */
  refuse(refusals: Refusals): void
  openFolder(jobId: string, options?: FolderOptions): JobFolder
  /** In the place of the VM, which moto does not boot. */
  startAgent(job: JobFolder): void
  /** Messages of a queue, whatever is refused to commands; undefined = there is no such queue. */
  depthOf(queueName: string): Promise<number | undefined>
  /** Whatever is refused to commands. */
  vmsOf(jobId: string): Promise<readonly Vm[]>
  close(): Promise<void>
}

export async function openWeatherBench(): Promise<WeatherBench> {
  let refused: Refusals = {}
  const counts = new Map<string, number>()
  const agents: ChildProcess[] = []
  const moto = await startMoto()
  const refusalOf = (exchange: Exchange) => refused[actionOf(exchange)] ?? refused['*']
  const steered = {
    name: 'refused',
    share: 1,
    concerns(exchange: Exchange) {
      const action = actionOf(exchange)
      counts.set(action, (counts.get(action) ?? 0) + 1)
      return refusalOf(exchange) !== undefined
    },
    async strike(exchange: Exchange) {
      const refusal = refusalOf(exchange)
      exchange.reply(refusal === undefined ? await exchange.forward() : inProtocolOf(exchange, refusal))
    },
  }
  const proxy = await startFaultProxy({ upstream: moto.endpoint, faults: [steered] })
  const provider: Provider = openProvider(motoSettings(moto))
  const common = {
    AWS_ENDPOINT_URL: proxy.url.replace('127.0.0.1', 'localhost'), // moto answers wrongly to numbers
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    AWS_EC2_METADATA_DISABLED: 'true',
    CLOUD_TASKS_SQS_PURGE_SECONDS: '0', // the emulator purges at once
  }
  return {
    moto,
    countOf: action => counts.get(action) ?? 0,
    refuse(refusals) {
      refused = refusals
    },
    openFolder(jobId, { run = ['startup_script: echo hello'], env = {} } = {}) {
      const folder = new JobFolder({ jobId, taskCount: TASK_COUNT, env: { ...common, ...env } })
      folder.write('job.yml', jobFile(jobId, run))
      folder.write('catalog.json', JSON.stringify([offer('c5.large', 0.04), offer('m5.large', 0.08)]))
      return folder
    },
    startAgent(job) {
      const words = [AGENT, '--provider', 'aws', '--job-id', job.jobId, './task.ts']
      const env = { ...process.env, ...common, AWS_REGION: REGION }
      agents.push(spawn(process.execPath, words, { cwd: job.path, env, stdio: 'ignore' }))
    },
    async depthOf(queueName) {
      const depth = await provider.openQueue(queueName, { leaseSeconds: 60 }).admin.depth()
      return depth === undefined ? undefined : depth.ready + depth.leased + depth.delayed
    },
    vmsOf: jobId => provider.openPool({ jobId }).list(),
    async close() {
      for (const agent of agents) agent.kill('SIGKILL')
      await provider.close()
      await proxy.close()
      await moto.close()
    },
  }
}

export function expectSentence({ exitCode, stdout, stderr }: Ended, says: readonly RegExp[]): void {
  const text = `${stdout}\n${stderr}`
  for (const pattern of says) assert.match(text, pattern)
  assert.doesNotMatch(text, STACK_TRACE, 'no stack trace')
  assert.equal(stderr.split('\n').filter(line => / (ERROR|CRITICAL) - /.test(line)).length, 1, text)
  assert.equal(exitCode, 1, text)
}

/** As IAM says it. */
export function denied(action: string, code = 'AccessDenied'): Refusal {
  const message = `User: arn:aws:iam::123456789012:user/me is not authorized to perform: ${action} on resource: *`
  return { status: 403, code, message }
}

function jobFile(jobId: string, run: readonly string[]): string {
  const pool = ['use_spot: true', 'max_instances: 1', 'lease_seconds: 10', 'scaling_check_interval: 1']
  return [
    'provider: aws',
    'run:',
    ...[...pool, ...run].map(line => `  ${line}`),
    'aws:',
    `  job_id: ${jobId}`,
    `  region: ${REGION}`,
    '',
  ].join('\n')
}

function offer(type: string, usdPerHour: number) {
  const size = { instance_type: type, vcpus: 2, memory_gb: 8 }
  return { ...size, zone: `${REGION}a`, boot_disk_type: 'gp3', price_per_hour: usdPerHour }
}
