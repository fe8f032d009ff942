// The pool seam: VMs that are real processes. Any process may launch, list and terminate; none of them has to stay alive.
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { systemClock } from '../../core/clock.ts'
import { messageOf, UserError } from '../../core/errors.ts'
import { type VmId, vmId } from '../../core/ids.ts'
import { vmNamePrefix } from '../../core/names.ts'
import { launchFailure } from '../launch-failure.ts'
import type { LocalSettings } from '../open-provider.ts'
import type {
  JobRef,
  LaunchChoice,
  LaunchFailure,
  LaunchPlan,
  LaunchReport,
  ListOptions,
  Pool,
  Vm,
} from '../provider.ts'
import { LOCAL_REGION } from './catalog.ts'
import { VM_HOST_PROGRAM } from './program-paths.ts'
import { makeDisk } from './vm-boot.ts'
import { VmFolder } from './vm-folder.ts'
import { kill, killVmProcesses, processRuns } from './vm-processes.ts'
import { type NewVm, VmRegistry, type VmRow } from './vm-registry.ts'

const LISTED_AFTER_END_MS = 3_600_000
const START_WITHIN_MS = 30_000 // a host that has not claimed its VM by then never will: its launcher was killed
const DEFAULT_NOTICE_SECONDS = 10

export class LocalPool implements Pool {
  readonly #root: string
  readonly #job: JobRef
  readonly #settings: LocalSettings
  readonly #registry: VmRegistry

  constructor(root: string, job: JobRef, settings: LocalSettings) {
    this.#root = root
    this.#job = job
    this.#settings = settings
    this.#registry = new VmRegistry(root)
  }

  async launch(plan: LaunchPlan): Promise<LaunchReport> {
    const choice = plan.choices[0] // all choices share the one capacity, so the others cannot do better
    if (choice === undefined || plan.vmCount <= 0) return { launched: [], failures: [] }
    const capacity = this.#settings.capacity ?? Number.POSITIVE_INFINITY
    if (Number.isFinite(capacity)) await this.#findEnded(await this.#registry.alive())
    // Rows first, processes second: a launch killed anywhere leaves VMs that everybody can see and that end by themselves.
    const rows = await this.#registry.add(
      Array.from({ length: plan.vmCount }, () => this.#newVm(plan, choice)),
      { jobId: this.#job.jobId, token: plan.token, capacity },
    )
    const failures: LaunchFailure[] = []
    for (const row of rows.filter(neverStarted)) {
      try {
        await this.#start(row, choice)
      } catch (error) {
        await this.#registry.markEnded(row.id, systemClock.now(), 'launch failed')
        failures.push(launchFailure(choice, 'other', messageOf(error)))
      }
    }
    const missing = plan.vmCount - rows.length
    if (missing > 0) {
      const message = `The local cloud has room for ${capacity} VMs at once; ${missing} of ${plan.vmCount} did not fit.`
      for (let index = 0; index < missing; index++) failures.push(launchFailure(choice, 'capacity', message))
    }
    const launched = await Promise.all(rows.map(row => this.#registry.find(row.id)))
    return { launched: launched.flatMap(row => (row === undefined || failedLaunch(row) ? [] : [vmOf(row)])), failures }
  }

  async list({ everyJob = false }: ListOptions = {}): Promise<readonly Vm[]> {
    const sinceMs = systemClock.now() - LISTED_AFTER_END_MS
    const read = () => (everyJob ? this.#registry.ofAll(sinceMs) : this.#registry.ofJob(this.#job.jobId, sinceMs))
    await this.#findEnded(await read())
    return (await read()).map(vmOf)
  }

  async terminate(ids: readonly VmId[]): Promise<void> {
    await Promise.all(ids.map(id => this.#terminate(id)))
  }

  close(): void {
    this.#registry.close()
  }

  async #terminate(id: VmId): Promise<void> {
    // Intent first: a host that has not claimed the VM yet no longer can, and whoever lists after us goes on if we die.
    await this.#registry.markStopping(id, 'terminated')
    const row = await this.#registry.find(id)
    if (row === undefined || row.endedMs !== undefined) return
    await this.#end(row)
  }

  /** Ends the VMs whose host is dead, or never came, or whom somebody began to terminate and may have died over it. */
  async #findEnded(rows: readonly VmRow[]): Promise<void> {
    const dead = rows.filter(row => row.endedMs === undefined && (hostIsGone(row) || row.stopReason === 'terminated'))
    await Promise.all(dead.map(row => this.#end(row)))
  }

  async #end(row: VmRow): Promise<void> {
    if (row.host !== undefined && processRuns(row.host)) kill(row.host.pid)
    await this.#bury(row)
  }

  async #bury(row: VmRow): Promise<void> {
    await killVmProcesses(row.id)
    await this.#registry.markEnded(row.id, systemClock.now(), row.host === undefined ? 'launch failed' : 'host failed')
  }

  async #start(row: VmRow, choice: LaunchChoice): Promise<void> {
    const folder = new VmFolder(this.#root, row.id)
    const { bootSeconds = 0, noticeSeconds = DEFAULT_NOTICE_SECONDS } = this.#settings
    const { id, instanceType, zone, spot } = row
    const preemptedAfterSeconds = spot ? drawPreemption(row.ordinal, this.#settings) : undefined
    const facts = {
      id,
      instanceType,
      region: LOCAL_REGION,
      zone,
      spot,
      bootSeconds,
      noticeSeconds,
      preemptedAfterSeconds,
    }
    if (choice.startupScript === undefined) throw new Error('A local VM needs a startup script.')
    makeDisk(folder, facts, choice.startupScript)
    const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...env } = process.env
    const host = spawn(process.execPath, [VM_HOST_PROGRAM, this.#root, id], {
      cwd: folder.path,
      env,
      detached: true,
      stdio: 'ignore',
    })
    await once(host, 'spawn')
    host.unref()
  }

  #newVm({ token, spot }: LaunchPlan, { offer }: LaunchChoice): NewVm {
    return {
      id: newVmId(this.#job.jobId),
      jobId: this.#job.jobId,
      token,
      instanceType: offer.instanceType,
      zone: offer.zone,
      spot,
      vcpuCount: offer.vcpuCount,
      priceUsdPerHour: offer.priceUsdPerHour,
      launchedMs: systemClock.now(),
    }
  }
}

/** Gives the VM its spot notice now; `noticeSeconds` later it is killed. For tests and demonstrations. */
export async function preemptVm(root: string, id: VmId): Promise<void> {
  const registry = new VmRegistry(root)
  try {
    const row = await registry.find(id)
    if (row === undefined || row.endedMs !== undefined) {
      throw new UserError(`VM "${id}" cannot be preempted: it is not running in ${root}.`)
    }
    new VmFolder(root, id).request('preempt')
  } finally {
    registry.close()
  }
}

function neverStarted(row: VmRow): boolean {
  return row.host === undefined && row.stopReason === undefined && row.endedMs === undefined
}

function failedLaunch(row: VmRow): boolean {
  return row.endedMs !== undefined && row.host === undefined
}

function hostIsGone(row: VmRow): boolean {
  if (row.host !== undefined) return !processRuns(row.host)
  return row.stopReason !== undefined || systemClock.now() - row.launchedMs > START_WITHIN_MS
}

function vmOf(row: VmRow): Vm {
  const { id, jobId, instanceType, zone, spot, vcpuCount, priceUsdPerHour } = row
  return {
    id,
    jobId,
    state: stateOf(row),
    instanceType,
    zone,
    spot,
    vcpuCount,
    priceUsdPerHour,
    launchedAt: new Date(row.launchedMs),
    ...(row.endedMs === undefined ? undefined : { endedAt: new Date(row.endedMs) }),
    ...(row.endReason === undefined ? undefined : { endReason: row.endReason }),
  }
}

function stateOf(row: VmRow): Vm['state'] {
  if (row.endedMs !== undefined) return 'terminated'
  if (row.stopReason !== undefined) return 'stopping'
  return row.runningMs === undefined ? 'starting' : 'running'
}

const ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 25 // as the Python system names its VMs

function newVmId(jobId: string): VmId {
  const characters = Array.from({ length: ID_LENGTH }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)])
  return vmId(`${vmNamePrefix(jobId)}-${characters.join('')}`)
}

/** Seconds of life of the n-th VM, exponentially distributed; the same for the same seed. */
function drawPreemption(ordinal: number, { preemptionsPerHour = 0, seed = 0 }: LocalSettings): number | undefined {
  if (preemptionsPerHour <= 0) return undefined
  return (-Math.log(1 - uniform(seed, ordinal)) * 3600) / preemptionsPerHour
}

/** In [0, 1). The finalizer of MurmurHash3: neighbours in, unrelated numbers out. */
function uniform(seed: number, ordinal: number): number {
  let h = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(ordinal, 0x85ebca6b)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32
}
