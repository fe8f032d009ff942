// SEAM 1: everything that agents and managers need of a cloud. One folder beside this file implements it for each cloud.
// SDK errors stop in the adapter and leave it as an Error that says what, where and what to do next.
import type { Receipt, VmId } from '../core/ids.ts'
import type { Priority } from '../core/task.ts'
import type { Catalog, Offer } from './catalog.ts'
import type { Notebook } from './notebook.ts'

export interface Provider {
  readonly name: ProviderName
  readonly limits: ProviderLimits
  /** Makes no request. `leaseSeconds` belongs to the job: every receive and renewal of this handle uses it. */
  openQueue(name: string, options: QueueOptions): Queue
  openPool(job: JobRef): Pool
  /** The VM that this process runs on. */
  openInstance(): Instance
  openCatalog(): Catalog
  openObjects(): Objects
  /** What a manager without a disk of its own remembers of a job. Made by the job's stack. */
  openNotebook(job: JobRef): Notebook
  /** Closes every handle that it opened. May be called more than once. */
  close(): Promise<void>
}

export const PROVIDER_NAMES = ['local', 'aws', 'gcp', 'azure'] as const
export type ProviderName = (typeof PROVIDER_NAMES)[number]

export interface ProviderLimits {
  /** UTF-8 bytes of one message body. */
  readonly maxBodyBytes: number
  /** Longest lease of one receive or renewal. */
  readonly maxLeaseSeconds: number
  /** Longest that one delivery can be held by renewing; undefined = no limit. */
  readonly maxTotalLeaseSeconds: number | undefined
  /** Longest `delaySeconds` of one send or release. */
  readonly maxDelaySeconds: number
  /** True where a message that was given back counts as handed out in `deliveryCount` all the same. */
  readonly releasesCount?: boolean
  /** Most messages that one `receive` returns. Callers may ask for more and get this many. */
  readonly maxBatch: number
  /** How long results may be kept to fill whole requests, where each request costs money. Absent: hardly at all. */
  readonly gatherSeconds?: number
}

export interface QueueOptions {
  readonly leaseSeconds: number
}

export interface JobRef {
  readonly jobId: string
  readonly region?: string
}

// ---- queues

export interface Queue {
  readonly name: string
  /**
   * Resolves when every message is accepted durably. Any number at once: the adapter makes the batches.
   * Rejects with `SendError`, which names what was not accepted; the rest was.
   */
  send(messages: readonly OutgoingMessage[]): Promise<void>
  /**
   * Up to `maxMessages` that are ready now, high priority first; waits up to `waitSeconds` for the first one. Empty when
   * none came or `signal` aborted: never rejects because of the signal, and holds nothing it did not return.
   */
  receive(options: ReceiveOptions): Promise<readonly Delivery[]>
  /** Starts a full lease anew for each. */
  renew(receipts: readonly Receipt[]): Promise<Settlement>
  /** Deletes. A message whose lease has ended is reported as lost and stays. */
  ack(receipts: readonly Receipt[]): Promise<Settlement>
  /** Hands back: others can receive it after `delaySeconds` (0 = within a second). */
  release(receipts: readonly Receipt[], delaySeconds: number): Promise<Settlement>
  readonly admin: QueueAdmin
}

export interface OutgoingMessage {
  /** Any text without U+0000. */
  readonly body: string
  /** Default `normal`. */
  readonly priority?: Priority
  /** Default 0. */
  readonly delaySeconds?: number
  /** Carried as the `TaskId` attribute where the cloud has attributes. */
  readonly taskId?: string
}

export interface ReceiveOptions {
  readonly maxMessages: number
  readonly waitSeconds: number
  readonly signal?: AbortSignal
}

export interface Delivery {
  readonly body: string
  readonly receipt: Receipt
  /** How often the message was handed out, this time included; a release does not count where the cloud can tell. */
  readonly deliveryCount: number
}

/** Everything that is not listed is settled. Lost is normal: the lease ended and the message is somebody else's. */
export interface Settlement {
  readonly lost: readonly Receipt[]
}

export interface QueueAdmin {
  /** Makes the queue if it is not there. Idempotent. */
  ensure(): Promise<void>
  /** undefined if the queue does not exist. */
  depth(): Promise<QueueDepth | undefined>
  /** Deletes all messages, held ones too. */
  purge(): Promise<void>
  /** Deletes the queue with all messages. Idempotent. */
  remove(): Promise<void>
}

export interface QueueDepth {
  /** Can be received now. */
  readonly ready: number
  /** Leased by somebody. */
  readonly leased: number
  /** Waiting for their delay. */
  readonly delayed: number
  /** True where the cloud counts approximately. */
  readonly estimated: boolean
}

export class SendError extends Error {
  override readonly name = 'SendError'
  /** Indexes into the messages given to `send`. */
  readonly unsent: readonly number[]

  constructor(message: string, { unsent, cause }: { unsent: readonly number[]; cause?: unknown }) {
    super(message, { cause })
    this.unsent = unsent
  }
}

// ---- VMs

export interface Pool {
  /** Starts up to `plan.vmCount` VMs. Shortage is a value, not an exception. The same `token` never launches twice. */
  launch(plan: LaunchPlan): Promise<LaunchReport>
  /** All VMs of the job that are not terminated, plus those that ended in the last hour. Rejects rather than answer in part. */
  list(options?: ListOptions): Promise<readonly Vm[]>
  /** Idempotent; unknown ids are ignored. Resolves when the cloud has accepted it. */
  terminate(ids: readonly VmId[]): Promise<void>
}

export interface ListOptions {
  /** Also those of other jobs that can be seen from here, each with its `jobId`: for people, never to act on. */
  readonly everyJob?: boolean
}

export interface LaunchPlan {
  /** Idempotency token of this launch. */
  readonly token: string
  readonly vmCount: number
  readonly spot: boolean
  /** Seconds since 1970. The VMs end by themselves before; absent = no limit. */
  readonly paidUntilSeconds?: number
  /** Best first. The adapter goes down the list when one has no capacity. */
  readonly choices: readonly LaunchChoice[]
}

export interface LaunchChoice {
  readonly offer: Offer
  /** What the VM boots with: see startup-script.ts. Absent where the template of the job's stack holds it. */
  readonly startupScript?: string
  readonly bootDiskGib: number
  /** Tasks at once on this VM. */
  readonly tasksPerVm: number
}

export interface LaunchReport {
  readonly launched: readonly Vm[]
  readonly failures: readonly LaunchFailure[]
}

export interface LaunchFailure {
  readonly reason: 'capacity' | 'quota' | 'denied' | 'other'
  readonly instanceType: string
  readonly zone: string
  readonly message: string
}

export type VmState = 'starting' | 'running' | 'stopping' | 'terminated'

export interface Vm {
  readonly id: VmId
  readonly jobId: string
  readonly state: VmState
  readonly instanceType: string
  /** Where the cloud has several kinds. */
  readonly bootDiskType?: string
  readonly zone: string
  readonly spot: boolean
  readonly vcpuCount: number
  readonly priceUsdPerHour: number | undefined
  readonly launchedAt: Date
  /** When billing ended. */
  readonly endedAt?: Date
  readonly privateIp?: string
  readonly publicIp?: string
  /** A short word such as `preempted`, `terminated`, `script ended`, `startup script failed (exit code 3)`. */
  readonly endReason?: string
}

// ---- this VM

export interface Instance {
  describe(): Promise<InstanceInfo>
  /** Ends when `signal` aborts. */
  notices(signal: AbortSignal): AsyncIterable<Notice>
  /** Ends this VM and its cost. May never return. */
  powerOff(): Promise<void>
}

export interface InstanceInfo {
  readonly id: VmId
  readonly instanceType?: string
  readonly region?: string
  readonly zone?: string
  readonly spot?: boolean
}

/** `preemption`: the VM is gone at `deadlineAt`. `rebalance`: it may be soon; stop taking long work. */
export interface Notice {
  readonly kind: 'preemption' | 'rebalance'
  readonly deadlineAt: Date
}

// ---- prices and types

export type { BootDiskRates, Catalog, Image, Offer, OfferOptions, PriceParts, Region } from './catalog.ts'

// ---- objects

/** The job's store for results and checkpoints that do not fit into a message, and for task files given as a URL. */
export interface Objects {
  /** Returns the URL to read it by. */
  write(key: string, content: Uint8Array): Promise<string>
  /** Chunks of bytes. Rejects with a UserError if there is nothing at `url`. */
  read(url: string): AsyncIterable<Uint8Array>
  remove(url: string): Promise<void>
}
