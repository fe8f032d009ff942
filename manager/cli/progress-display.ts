// Shows progress: a block that is redrawn on a terminal, a line in the log every few seconds elsewhere, nothing when quiet.
import type { Watch } from '../../core/job-config.ts'
import type { JobDb } from '../job-db.ts'
import { type ProgressView, renderLine } from '../progress.ts'
import { renderBlock } from '../progress-block.ts'
import type { ProgressWatch } from '../progress-watch.ts'
import { summarizeVms } from '../vm-summary.ts'
import { renderVmSummary, renderVmTable } from '../vm-table.ts'
import type { Invocation } from './invocation.ts'

export interface ProgressDisplayOptions {
  readonly progress: ProgressWatch
  readonly db: JobDb
  /** Given: at -vv each VM is listed at every scaling check. */
  readonly watch?: Watch
  readonly invocation: Invocation
}

const LINE_EVERY_MS = 5000

export class ProgressDisplay {
  readonly #options: ProgressDisplayOptions
  #lineAt = Date.now()
  #lastLine = ''
  #vmTableAt = 0

  constructor(options: ProgressDisplayOptions) {
    this.#options = options
  }

  update(): void {
    const { progress, invocation } = this.#options
    const { terminal, options, env } = invocation
    const view = progress.look()
    this.#listVms(view.now)
    if (options.has('quiet')) return
    if (terminal.live) terminal.showBlock(size => renderBlock(view, { ...size, color: !env.NO_COLOR }))
    else this.#writeLine(view)
  }

  #writeLine(view: ProgressView): void {
    const now = view.now.getTime()
    if (now - this.#lineAt < LINE_EVERY_MS) return
    this.#lineAt = now
    const line = renderLine(view)
    if (line !== this.#lastLine) this.#options.invocation.terminal.log('INFO', line)
    this.#lastLine = line
  }

  #listVms(now: Date): void {
    const { watch, db, invocation } = this.#options
    if (watch === undefined || (invocation.options.count('verbose') ?? 0) < 2) return
    if (now.getTime() - this.#vmTableAt < watch.scalingCheckSeconds * 1000) return
    this.#vmTableAt = now.getTime()
    const vms = db.vms()
    if (vms.length === 0) return
    invocation.terminal.log('DEBUG', `VMs:\n${renderVmTable({ vms, watch, now })}`)
    invocation.terminal.log('DEBUG', `Summary:\n${renderVmSummary(summarizeVms(vms))}`)
  }
}
