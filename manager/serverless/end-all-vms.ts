// Ends all VMs of a job and waits until they are gone, so that what they hold on to can be deleted.
import { type Clock, systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { Pool } from '../../infra/provider.ts'

export interface EndAllOptions {
  readonly deadlineMs: number
  readonly say: (text: string) => void
  readonly pauseMs?: number
  readonly clock?: Clock
}

const PAUSE_MS = 5000 // a VM takes a minute or two to end
const LOOKS_WITHOUT_VMS = 3 // a launch that was under way shows itself within seconds

/** Rejects with a UserError if some are left at the deadline. */
export async function endAllVms(
  pool: Pool,
  { deadlineMs, say, pauseMs = PAUSE_MS, clock = systemClock }: EndAllOptions,
): Promise<void> {
  let told = ''
  for (let looksWithout = 0; ; ) {
    const left = (await pool.list()).filter(vm => vm.state !== 'terminated')
    if (left.length === 0) {
      looksWithout += 1
      if (looksWithout === LOOKS_WITHOUT_VMS) return
    } else {
      looksWithout = 0
      // Also those that are stopped: their disks cost money, and their addresses keep the network.
      await pool.terminate(left.map(vm => vm.id))
      const text = `Ending ${left.length} VMs`
      if (text !== told) say(text)
      told = text
    }
    if (clock.now() + pauseMs > deadlineMs) {
      if (left.length === 0) return
      throw new UserError(`${left.length} VMs are still ending: delete the stack once more in a few minutes.`)
    }
    await clock.sleep(pauseMs)
  }
}
