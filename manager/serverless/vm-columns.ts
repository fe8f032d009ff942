// The VMs of a job as columns of short values: ten thousand of them, compressed, fit into one record of a managed store.
import { z } from 'zod'
import { vmId } from '../../core/ids.ts'
import type { Vm, VmState } from '../../infra/provider.ts'
import type { VmRecord } from '../job-db-vms.ts'

/** Just what money and decisions depend on. */
export type KnownVm = Vm & Pick<VmRecord, 'paidSeconds'>

const STATES = ['starting', 'running', 'stopping', 'terminated'] as const satisfies readonly VmState[]

const kindSchema = z.object({
  instanceType: z.string(),
  zone: z.string(),
  spot: z.boolean(),
  vcpuCount: z.number(),
  priceUsdPerHour: z.number().optional(),
})
type Kind = z.infer<typeof kindSchema>

const numbers = z.array(z.number())

/** One entry a VM in each column. */
export const vmColumnsSchema = z.object({
  kinds: z.array(kindSchema),
  reasons: z.array(z.string()),
  /** Separated by spaces. */
  ids: z.string(),
  kind: numbers,
  state: numbers,
  /** Milliseconds after the launch of the VM before. */
  launched: numbers,
  /** Milliseconds from launch to end; -1 = not ended. */
  lived: numbers,
  /** Index of its `reasons`; -1 = none. */
  reason: numbers,
  /** -1 = no limit. */
  paid: numbers,
})
export type VmColumns = z.infer<typeof vmColumnsSchema>

export function columnsOf(vms: readonly KnownVm[]): VmColumns {
  const kinds = new Numbering<Kind>()
  const reasons = new Numbering<string>()
  const columns: VmColumns = {
    ids: vms.map(vm => vm.id).join(' '),
    kind: [],
    state: [],
    launched: [],
    lived: [],
    reason: [],
    paid: [],
    kinds: [],
    reasons: [],
  }
  let beforeMs = 0
  for (const vm of vms) {
    const { instanceType, zone, spot, vcpuCount, priceUsdPerHour, endReason } = vm
    const launchedMs = vm.launchedAt.getTime()
    columns.kind.push(
      kinds.of({ instanceType, zone, spot, vcpuCount, ...(priceUsdPerHour !== undefined && { priceUsdPerHour }) }),
    )
    columns.state.push(STATES.indexOf(vm.state))
    columns.launched.push(launchedMs - beforeMs)
    columns.lived.push(vm.endedAt === undefined ? -1 : Math.max(0, vm.endedAt.getTime() - launchedMs))
    columns.reason.push(endReason === undefined ? -1 : reasons.of(endReason))
    columns.paid.push(vm.paidSeconds ?? -1)
    beforeMs = launchedMs
  }
  return { ...columns, kinds: kinds.values, reasons: reasons.values }
}

export function vmsOf(jobId: string, columns: VmColumns): readonly KnownVm[] {
  const { kinds, reasons, ids } = columns
  let launchedMs = 0
  return (ids === '' ? [] : ids.split(' ')).map((id, index) => {
    const entry = (column: readonly number[]) => column[index] ?? -1
    const kind = kinds[entry(columns.kind)]
    const state = STATES[entry(columns.state)]
    if (kind === undefined || state === undefined) throw new Error(`Nothing is said of VM ${id}.`)
    launchedMs += entry(columns.launched)
    const [lived, reason, paid] = [entry(columns.lived), reasons[entry(columns.reason)], entry(columns.paid)]
    return {
      ...kind,
      id: vmId(id),
      jobId,
      state,
      priceUsdPerHour: kind.priceUsdPerHour,
      launchedAt: new Date(launchedMs),
      ...(lived >= 0 && { endedAt: new Date(launchedMs + lived) }),
      ...(reason !== undefined && { endReason: reason }),
      ...(paid >= 0 && { paidSeconds: paid }),
    }
  })
}

/** Numbers different values in the order in which they come. */
class Numbering<T> {
  readonly values: T[] = []
  readonly #indexes = new Map<string, number>()

  of(value: T): number {
    const key = JSON.stringify(value)
    let index = this.#indexes.get(key)
    if (index === undefined) {
      index = this.values.push(value) - 1
      this.#indexes.set(key, index)
    }
    return index
  }
}
