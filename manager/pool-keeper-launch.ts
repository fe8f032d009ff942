// Launches VMs so that a crash or an unanswered request never makes one twice or loses one: intent, launch, save, settle.
import { messageOf } from '../core/errors.ts'
import type { LaunchFailure, Pool } from '../infra/provider.ts'
import type { LaunchIntent, LaunchIntents } from './launch-intents.ts'
import type { KeeperDb, KeeperLog } from './pool-keeper.ts'
import type { Launch } from './reconcile-launch.ts'
import type { Choice } from './select-offers.ts'
import type { SpotMarket } from './spot-market.ts'
import type { VmWatch } from './vm-watch.ts'

export interface LauncherOptions {
  readonly pool: Pool
  readonly db: KeeperDb
  readonly intents: LaunchIntents
  readonly scriptOf?: ((choice: Choice, endBy?: Date) => string) | undefined
  readonly slotsOf: (vm: { readonly vcpuCount: number }) => number
  readonly market: SpotMarket
  readonly watch: VmWatch
  readonly log: KeeperLog
  readonly warnOnce: (text: string) => void
  readonly now: () => Date
}

const REPEAT_SECONDS = 15 // an API that refuses everything is asked four times a minute
const MAX_CHOICES = 20 // as many as a fleet request takes

export class Launcher {
  readonly #options: LauncherOptions
  #repeatAtMs = 0

  constructor(options: LauncherOptions) {
    this.#options = options
  }

  /** The token makes a repetition harmless. True while some launch is still without an answer: then none may follow it. */
  async repeatUnanswered(): Promise<boolean> {
    const { intents, db, now } = this.#options
    if (db.unfinishedCount() === 0) return false
    const at = now()
    if (at.getTime() >= this.#repeatAtMs) for (const intent of intents.unsettled(at)) await this.ask(intent)
    return intents.unsettled(at).length > 0
  }

  /**
   * Intent first, launch second, VMs saved third, intent settled last. Killed after the first, the launch is repeated with
   * the same token; killed after the second or third, the repetition finds the VMs that are there.
   */
  intend({ vmCount, choices, paidSeconds }: Launch): LaunchIntent {
    const { intents, now } = this.#options
    const endBy =
      paidSeconds === undefined ? undefined : new Date(now().getTime() + (paidSeconds - endSeconds(paidSeconds)) * 1000)
    const plan = {
      vmCount,
      spot: choices[0]?.spot ?? false,
      ...(endBy === undefined ? undefined : { paidUntilSeconds: Math.floor(endBy.getTime() / 1000) }),
      choices: choices.slice(0, MAX_CHOICES).map(choice => ({
        offer: choice.offer,
        bootDiskGib: choice.bootDiskGib,
        tasksPerVm: choice.tasksPerVm,
        ...this.#scriptOf(choice, endBy),
      })),
    }
    return intents.record(plan, now(), paidSeconds)
  }

  #scriptOf(choice: Choice, endBy: Date | undefined): { readonly startupScript?: string } {
    const startupScript = this.#options.scriptOf?.(choice, endBy)
    return startupScript === undefined ? {} : { startupScript }
  }

  async ask({ plan, paidSeconds }: LaunchIntent): Promise<void> {
    const { pool, db, intents, market, watch, log, warnOnce, slotsOf, now } = this.#options
    try {
      const { launched, failures } = await pool.launch(plan)
      db.saveVms(launched, now(), { paidSeconds, slotsOf })
      intents.settle(plan.token)
      watch.see(launched, now())
      for (const [what, count] of countBy(launched, vm => `${vm.instanceType} in ${vm.zone}`)) {
        log('INFO', `Started ${count} ${plan.spot ? 'spot ' : ''}VMs ${what}`)
      }
      market.report(plan, launched.length, failures, now())
      for (const failure of failures) warnOnce(launchFailureText(failure))
    } catch (error) {
      // The cloud may or may not have heard us: the intent stays, and is repeated by its token.
      log('ERROR', `VMs could not be started; trying again in ${REPEAT_SECONDS} s: ${messageOf(error)}`)
      this.#repeatAtMs = now().getTime() + REPEAT_SECONDS * 1000
    }
  }
}

/** From the moment a VM is to end by itself to that of its bill: its tasks get the agent's grace of 30 s. */
function endSeconds(paidSeconds: number): number {
  return Math.min(60, paidSeconds / 4)
}

function launchFailureText({ reason, instanceType, zone, message }: LaunchFailure): string {
  return `No VM ${instanceType} in ${zone} (${reason}): ${message}`
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return counts
}
