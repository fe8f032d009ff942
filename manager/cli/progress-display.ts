// Shows progress: a block that is redrawn on a terminal, a line in the log every few seconds elsewhere, nothing when quiet.
import type { Watch } from '../../core/job-config.ts'
import type { Queue } from '../../infra/provider.ts'
import type { JobDb } from '../job-db.ts'
import type { PoolKeeper } from '../pool-keeper.ts'
import { doneCount, ProgressMeter, type ProgressView, renderBlock, renderLine } from '../progress.ts'
import { summarizeVms } from '../vm-summary.ts'
import { renderVmSummary, renderVmTable } from '../vm-table.ts'
import type { Invocation } from './invocation.ts'

export interface ProgressDisplayOptions {
  readonly jobId: string
  readonly db: JobDb
  readonly keeper?: PoolKeeper
  readonly tasks: Queue
  /** Given: at -vv each VM is listed at every scaling check. */
  readonly watch?: Watch
  readonly invocation: Invocation
}

const LINE_EVERY_MS = 5000
const DEPTH_EVERY_MS = 1000

export class ProgressDisplay {
  readonly #options: ProgressDisplayOptions
  readonly #meter = new ProgressMeter()
  #lineAt = Date.now()
  #lastLine = ''
  #depthAt = 0
  #vmTableAt = 0
  #heldCount: number | undefined

  constructor(options: ProgressDisplayOptions) {
    this.#options = options
  }

  update(): void {
    const { db, invocation } = this.#options
    const { terminal, options, env } = invocation
    const now = Date.now()
    const counts = db.counts()
    const tasksPerSecond = this.#meter.sample(doneCount(counts), now)
    this.#listVms(now)
    if (options.has('quiet')) return
    this.#askDepth(now)
    const view = this.#view(counts, tasksPerSecond)
    if (terminal.live) {
      terminal.showBlock(renderBlock(view, { columnCount: terminal.columnCount, color: !env.NO_COLOR }))
      return
    }
    if (now - this.#lineAt < LINE_EVERY_MS) return
    this.#lineAt = now
    const line = renderLine(view)
    if (line !== this.#lastLine) terminal.log('INFO', line)
    this.#lastLine = line
  }

  #view(counts: ProgressView['counts'], tasksPerSecond: number | undefined): ProgressView {
    const { jobId, keeper } = this.#options
    return {
      jobId,
      counts,
      heldCount: this.#heldCount,
      vms: keeper?.vms ?? [],
      spentUsd: keeper?.spentUsd() ?? 0,
      tasksPerSecond,
    }
  }

  #listVms(now: number): void {
    const { watch, db, invocation } = this.#options
    if (watch === undefined || (invocation.options.count('verbose') ?? 0) < 2) return
    if (now - this.#vmTableAt < watch.scalingCheckSeconds * 1000) return
    this.#vmTableAt = now
    const vms = db.vms()
    if (vms.length === 0) return
    invocation.terminal.log('DEBUG', `VMs:\n${renderVmTable({ vms, watch, now: new Date(now) })}`)
    invocation.terminal.log('DEBUG', `Summary:\n${renderVmSummary(summarizeVms(vms))}`)
  }

  /** Where counting is exact and free. */
  #askDepth(now: number): void {
    const { keeper, tasks } = this.#options
    if (keeper === undefined || now - this.#depthAt < DEPTH_EVERY_MS) return
    this.#depthAt = now
    tasks.admin.depth().then(
      depth => {
        this.#heldCount =
          depth === undefined || depth.estimated ? undefined : Math.min(depth.leased, keeper.sums.slotCount)
      },
      () => {
        this.#heldCount = undefined
      },
    )
  }
}
