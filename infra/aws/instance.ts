// This EC2 VM, seen from inside: who it is, whether it is about to be taken away, and its end.
import { hostname } from 'node:os'
import { systemClock } from '../../core/clock.ts'
import { vmId } from '../../core/ids.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Instance, InstanceInfo, Notice } from '../provider.ts'
import { shutDown } from '../shut-down.ts'
import { InstanceMetadata, NoMetadata } from './instance-metadata.ts'

const POLL_SECONDS = 5 // as AWS recommends: .../AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
const NOTICE_SECONDS = 120 // from a spot notice to the end
const DESCRIBE_MS = 5_000

export class AwsInstance implements Instance {
  readonly #metadata: InstanceMetadata
  readonly #pollMs: number

  constructor(settings: Pick<ProviderSettings, 'env'>, { pollSeconds = POLL_SECONDS }: { pollSeconds?: number } = {}) {
    this.#metadata = new InstanceMetadata(settings)
    this.#pollMs = pollSeconds * 1000
  }

  /** Off EC2 only a name for this machine. Bounded: 5 s. */
  async describe(): Promise<InstanceInfo> {
    try {
      const limit = AbortSignal.timeout(DESCRIBE_MS)
      const document = parseObject(await this.#metadata.read('dynamic/instance-identity/document', limit))
      const lifeCycle = await this.#metadata.read('meta-data/instance-life-cycle', limit)
      const [id, instanceType, region, zone] = ['instanceId', 'instanceType', 'region', 'availabilityZone'].map(key =>
        textOf(document[key]),
      )
      if (id === undefined) throw new Error('The identity document of this VM names no instance id.')
      return {
        id: vmId(id),
        ...(instanceType === undefined ? undefined : { instanceType }),
        ...(region === undefined ? undefined : { region }),
        ...(zone === undefined ? undefined : { zone }),
        ...(lifeCycle === undefined ? undefined : { spot: lifeCycle.trim() === 'spot' }),
      }
    } catch (error) {
      if (error instanceof NoMetadata && !this.#metadata.answered) return { id: vmId(hostname()) }
      throw error
    }
  }

  async *notices(signal: AbortSignal): AsyncIterable<Notice> {
    let preemptedAtMs: number | undefined
    let rebalanceTold = false
    while (!signal.aborted) {
      const preemption = await this.#look('meta-data/spot/instance-action', 'time', signal)
      if (preemption !== undefined && preemption.getTime() !== preemptedAtMs) {
        preemptedAtMs = preemption.getTime()
        yield { kind: 'preemption', deadlineAt: preemption }
      }
      const rebalance = await this.#look('meta-data/events/recommendations/rebalance', 'noticeTime', signal)
      if (rebalance !== undefined && !rebalanceTold) {
        rebalanceTold = true
        // It names no end: the earliest is that of a spot notice given in the same moment.
        yield { kind: 'rebalance', deadlineAt: new Date(rebalance.getTime() + NOTICE_SECONDS * 1000) }
      }
      await systemClock.sleep(this.#pollMs, signal)
    }
  }

  /** Off EC2 there is nothing to power off, and nothing happens. The VM's template says that shutting down terminates it. */
  async powerOff(): Promise<void> {
    if (!(await this.#onVm())) return
    const failures = await shutDown()
    if (failures.length === 0) return
    throw new Error(`This VM cannot power itself off, terminate it in the EC2 console: ${failures.join('; ')}.`)
  }

  async #onVm(): Promise<boolean> {
    try {
      if (!this.#metadata.answered) await this.describe()
    } catch (error) {
      if (!this.#metadata.answered) throw error // else it is a VM, whatever else its metadata service cannot tell
    }
    return this.#metadata.answered
  }

  /** The instant in the document at `path`. A failure to look is no notice: the next look comes soon. */
  async #look(path: string, key: string, signal: AbortSignal): Promise<Date | undefined> {
    try {
      const document = await this.#metadata.read(path, signal)
      if (document === undefined) return undefined
      const at = new Date(textOf(parseObject(document)[key]) ?? Number.NaN)
      return Number.isNaN(at.getTime()) ? undefined : at
    } catch {
      return undefined
    }
  }
}

function parseObject(text: string | undefined): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text ?? '{}')
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
