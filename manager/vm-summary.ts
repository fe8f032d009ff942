// Groups VMs by what they are, for people. Pure.
import type { Vm, VmState } from '../infra/provider.ts'

export interface VmGroup {
  readonly state: VmState
  readonly instanceType: string
  readonly bootDiskType: string | undefined
  readonly zone: string
  /** Of one VM. */
  readonly vcpuCount: number
  readonly vmCount: number
  /** Of all; undefined for VMs that cost nothing any more. */
  readonly usdPerHour: number | undefined
}

export function summarizeVms(vms: readonly Vm[]): VmGroup[] {
  const groups = new Map<string, Vm[]>()
  for (const vm of vms) {
    const key = [vm.state, vm.instanceType, vm.bootDiskType, vm.zone].join(' ')
    groups.set(key, [...(groups.get(key) ?? []), vm])
  }
  return [...groups.values()].flatMap(members => {
    const [first] = members
    if (first === undefined) return []
    const { state, instanceType, bootDiskType, zone, vcpuCount } = first
    const billed = state === 'running' || state === 'starting'
    const usdPerHour = billed ? members.reduce((sum, vm) => sum + (vm.priceUsdPerHour ?? 0), 0) : undefined
    return [{ state, instanceType, bootDiskType, zone, vcpuCount, vmCount: members.length, usdPerHour }]
  })
}

/** Of the VMs that are billed. */
export function totalOf(groups: readonly VmGroup[]): { vmCount: number; vcpuCount: number; usdPerHour: number } {
  const billed = groups.filter(group => group.usdPerHour !== undefined)
  return billed.reduce(
    (sum, group) => ({
      vmCount: sum.vmCount + group.vmCount,
      vcpuCount: sum.vcpuCount + group.vmCount * group.vcpuCount,
      usdPerHour: sum.usdPerHour + (group.usdPerHour ?? 0),
    }),
    { vmCount: 0, vcpuCount: 0, usdPerHour: 0 },
  )
}
