// Turns the notice of a spot VM, real or simulated, into the end of the agent.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { Instance } from '../infra/provider.ts'
import type { Ending } from './ending.ts'
import type { Log } from './log.ts'

interface NoticeOptions {
  /** Absent = not a spot VM. */
  readonly instance: Instance | undefined
  readonly settings: Pick<AgentSettings, 'simulateNoticeAfterSeconds' | 'simulateNoticeDelaySeconds'>
  readonly log: Log
  readonly signal: AbortSignal
  readonly stop: (ending: Ending) => void
}

const RETRY_MS = 5000

export async function watchNotices(options: NoticeOptions): Promise<void> {
  await Promise.all([watchInstance(options), simulate(options)])
}

async function watchInstance({ instance, log, signal, stop }: NoticeOptions): Promise<void> {
  while (instance !== undefined && !signal.aborted) {
    try {
      for await (const { kind, deadlineAt } of instance.notices(signal)) {
        if (kind === 'rebalance') {
          log.info(`This VM may be taken away around ${deadlineAt.toISOString()}.`)
          continue
        }
        const leftMs = deadlineAt.getTime() - Date.now()
        log.warning(`This VM is taken away in ${(leftMs / 1000).toFixed(1)} s: handing back what has not started.`)
        stop({ kind: 'preempted', deadlineMs: performance.now() + leftMs })
        return
      }
    } catch (error) {
      log.warning(`Watching for the notice of this spot VM failed, trying again: ${messageOf(error)}`)
    }
    await systemClock.sleep(RETRY_MS, signal)
  }
}

async function simulate({ settings, log, signal, stop }: NoticeOptions): Promise<void> {
  const { simulateNoticeAfterSeconds: after, simulateNoticeDelaySeconds: delay } = settings
  if (after === undefined) return
  if (delay === undefined)
    log.warning('A simulated notice without --simulate-spot-termination-delay never ends in a kill.')
  await systemClock.sleep(after * 1000, signal)
  if (signal.aborted) return
  log.warning('Simulated notice: this VM is taken away.')
  stop({
    kind: 'preempted',
    deadlineMs: delay === undefined ? Number.POSITIVE_INFINITY : performance.now() + delay * 1000,
  })
}
