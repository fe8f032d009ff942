// Renders the VMs of a job as tables: by kind and state with their price, or one by one with their last sign of life. Pure.
import type { Watch } from '../core/job-config.ts'
import type { VmRecord } from './job-db-vms.ts'
import { renderTable } from './render-table.ts'
import { totalOf, type VmGroup } from './vm-summary.ts'

export interface VmTableInputs {
  readonly vms: readonly VmRecord[]
  readonly watch: Watch
  readonly now: Date
}

export function renderVmTable({ vms, watch, now }: VmTableInputs): string {
  const rows = vms.map(vm => [
    vm.id,
    vm.instanceType,
    vm.state,
    vm.zone,
    vm.launchedAt.toISOString(),
    vm.lastHeardAt === undefined ? '' : `${secondsSince(vm.lastHeardAt, now)} s ago`,
    verdictOn(vm, watch, now),
  ])
  return renderTable(['ID', 'Type', 'State', 'Zone', 'Created', 'Last heard', 'Verdict'], rows)
}

function verdictOn(vm: VmRecord, watch: Watch, now: Date): string {
  if (vm.state !== 'running' && vm.state !== 'starting') return vm.endReason ?? 'not active'
  if (vm.lastHeardAt === undefined) {
    if (watch.startupTimeoutSeconds === 0) return 'not monitored'
    return secondsSince(vm.launchedAt, now) > watch.startupTimeoutSeconds ? 'OVERDUE' : 'awaiting first'
  }
  if (watch.silenceTimeoutSeconds === 0) return 'not monitored'
  return secondsSince(vm.lastHeardAt, now) > watch.silenceTimeoutSeconds ? 'OVERDUE' : 'OK'
}

function secondsSince(at: Date, now: Date): number {
  return Math.max(0, Math.round((now.getTime() - at.getTime()) / 1000))
}

export function renderVmSummary(groups: readonly VmGroup[]): string {
  const total = totalOf(groups)
  return renderTable(
    ['State', 'Instance Type', 'Boot Disk', 'vCPUs', 'Zone', 'Count', 'Total Price'],
    [
      ...groups.map(({ state, instanceType, bootDiskType, vcpuCount, zone, vmCount, usdPerHour }) => [
        state,
        instanceType,
        bootDiskType ?? '',
        String(vcpuCount),
        zone,
        String(vmCount),
        usdPerHour === undefined ? '' : `$${usdPerHour.toFixed(4)}`,
      ]),
      [
        'Total running/starting',
        '',
        '',
        String(total.vcpuCount),
        '',
        String(total.vmCount),
        `$${total.usdPerHour.toFixed(4)}`,
      ],
    ],
  )
}
