// A job on local VMs: real process groups, booted by the startup script that a cloud VM would get.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { VmId } from '../../core/ids.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Pool, Provider, Queue } from '../../infra/provider.ts'
import { renderStartupScript } from '../../infra/startup-script.ts'
import { cloudFolder, JOB_ID } from './place.ts'

const POLL_MS = 2
const WAIT_MS = 60_000

export interface VmJobOptions {
  readonly leaseSeconds: number
  readonly noticeSeconds: number
}

/** The tasks of this job run `tasks/hold.mjs`. Dispose terminates its VMs. */
export class VmJob implements AsyncDisposable {
  readonly root: string
  readonly provider: Provider
  readonly pool: Pool
  readonly queue: Queue
  /** Each start of a task that has `log` in its data. */
  readonly log: string
  readonly #leaseSeconds: number
  readonly #launched: VmId[] = []

  constructor(folder: string, provider: Provider, leaseSeconds: number) {
    this.root = cloudFolder(folder)
    this.log = join(folder, 'starts.log')
    this.provider = provider
    this.pool = provider.openPool({ jobId: JOB_ID })
    this.queue = provider.openQueue(JOB_ID, { leaseSeconds })
    this.#leaseSeconds = leaseSeconds
  }

  static async open(folder: string, { leaseSeconds, noticeSeconds }: VmJobOptions): Promise<VmJob> {
    const local = { root: cloudFolder(folder), noticeSeconds, bootSeconds: 0 }
    return new VmJob(folder, await openProvider('local', { env: {}, local }), leaseSeconds)
  }

  async launch(): Promise<VmId> {
    const [offer] = await this.provider.openCatalog().offers({ spot: true })
    if (offer === undefined) throw new Error('The local catalog has no offer.')
    const startupScript = renderStartupScript({
      environment: {
        provider: 'local',
        jobId: JOB_ID,
        queueName: JOB_ID,
        vm: {
          kind: 'known',
          instanceType: offer.instanceType,
          vcpuCount: offer.vcpuCount,
          memoryGib: offer.memoryGib,
          localSsdGib: 0,
          bootDiskGib: 10,
          spot: true,
          priceUsdPerHour: offer.priceUsdPerHour,
          tasksPerInstance: 2,
        },
        maxRuntimeSeconds: 3600,
        retryOnExit: false,
        retryOnException: false,
        retryOnTimeout: false,
        exactlyOnceQueue: false,
        leaseSeconds: this.#leaseSeconds,
        maxAttempts: 10,
      },
      userScript: `exec cloud-tasks-agent '${join(import.meta.dirname, 'tasks', 'hold.mjs')}'`,
    })
    const choices = [{ offer, startupScript, bootDiskGib: 10, tasksPerVm: 1 }]
    const token = `bench-${this.#launched.length}`
    const { launched, failures } = await this.pool.launch({ token, vmCount: 1, spot: true, choices })
    const [vm] = launched
    if (vm === undefined) throw new Error(`The VM did not start: ${failures[0]?.message}`)
    this.#launched.push(vm.id)
    return vm.id
  }

  async send(tasks: readonly { readonly id: string; readonly data: object }[]): Promise<void> {
    await this.queue.send(tasks.map(({ id, data }) => ({ body: JSON.stringify({ task_id: id, data }) })))
  }

  /** Tasks that started, each with the VM of its latest start. */
  async starts(): Promise<ReadonlyMap<string, string>> {
    const text = await readFile(this.log, 'utf8').catch(() => '')
    return new Map(
      text
        .split('\n')
        .filter(line => line !== '')
        .map(line => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.terminate(this.#launched)
    await this.provider.close()
  }
}

/** Resolves as soon as `condition` holds; looks often, and not for ever. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadlineAt = performance.now() + WAIT_MS
  while (!(await condition())) {
    if (performance.now() > deadlineAt) throw new Error(`Waited ${WAIT_MS / 1000} s in vain until ${what}.`)
    await sleep(POLL_MS)
  }
}
