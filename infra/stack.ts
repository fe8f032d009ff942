// SEAM 2: infrastructure as code. A stack holds what is static of a job: queues, roles, network, VM template, alarms.
import type { JobConfig } from '../core/job-config.ts'

export interface Stack {
  /** What `up` would do. Changes nothing. */
  preview(spec: StackSpec): Promise<readonly StackChange[]>
  /** Idempotent. Safe to repeat after a crash. */
  up(spec: StackSpec): Promise<Deployment>
  /** Removes all that `up` made, until nothing billable is left. Its VMs have ended. Idempotent. */
  down(spec: StackSpec, options?: DownOptions): Promise<void>
}

export interface DownOptions {
  /** Results too large for a message stay where the database says that they are. */
  readonly keepResults?: boolean
}

export interface StackSpec {
  readonly jobId: string
  readonly queueName: string
  readonly config: JobConfig
  /** Who looks after the VMs: a function in the cloud that the stack makes as well, or a program of the user's. */
  readonly manager: 'serverless' | 'here'
}

export interface StackChange {
  readonly action: 'create' | 'update' | 'delete'
  readonly resource: string
}

export interface Deployment {
  /** Names and addresses by purpose, e.g. `task queue` → its URL. For people. */
  readonly outputs: Readonly<Record<string, string>>
  /** True if nothing of it was there before. */
  readonly created: boolean
}
