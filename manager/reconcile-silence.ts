// Finds the VMs that should have given a sign of life and did not. Pure.
import type { VmId } from '../core/ids.ts'
import type { Watch } from '../core/job-config.ts'
import type { Vm } from '../infra/provider.ts'

export interface SignsOfLife {
  /** When each VM was last heard of, by the manager's clock. */
  readonly heardAt: ReadonlyMap<VmId, Date>
  readonly firstSeenAt: ReadonlyMap<VmId, Date>
  /** Silence before this instant proves nothing: the manager was not listening (just started, or woken from sleep). */
  readonly listeningSince: Date
  /** Silence after this instant proves nothing: the event queue was not yet read to its end. */
  readonly knownUntil: Date
}

export type Silence =
  | {
      readonly kind: 'some'
      readonly ids: readonly VmId[]
      readonly because: string
      readonly warnings: readonly string[]
    }
  /** No VM was ever heard of although all are overdue: replacing them would not help. */
  | { readonly kind: 'all'; readonly because: string }

export function findSilent(active: readonly Vm[], signs: SignsOfLife, watch: Watch): Silence {
  const silentSeconds = (since: Date | undefined) => {
    const start = Math.max(since?.getTime() ?? 0, signs.listeningSince.getTime())
    return (signs.knownUntil.getTime() - start) / 1000
  }
  const heard = active.filter(vm => signs.heardAt.has(vm.id))
  const unheard = active.filter(vm => !signs.heardAt.has(vm.id))
  const fellSilent = heard.filter(vm => exceeds(silentSeconds(signs.heardAt.get(vm.id)), watch.silenceTimeoutSeconds))
  const overdue = unheard.filter(vm =>
    exceeds(silentSeconds(signs.firstSeenAt.get(vm.id)), watch.startupTimeoutSeconds),
  )
  const because = 'no sign of life'
  if (overdue.length === 0 || signs.heardAt.size > 0) {
    return { kind: 'some', ids: [...fellSilent, ...overdue].map(vm => vm.id), because, warnings: [] }
  }
  if (overdue.length === active.length) {
    return {
      kind: 'all',
      because:
        `none of ${active.length} VMs gave a sign of life within ${watch.startupTimeoutSeconds} s; ` +
        'check that the startup script starts cloud-tasks-agent and that the agent may write to the event queue',
    }
  }
  const warnings = [`${overdue.length} VMs have given no sign of life yet`]
  return { kind: 'some', ids: fellSilent.map(vm => vm.id), because, warnings }
}

function exceeds(seconds: number, limitSeconds: number): boolean {
  return limitSeconds > 0 && seconds > limitSeconds
}
