// What the VMs cost, in whole micro-dollars, and what for. The division itself is the view `ledger` of the job DB.
import type { DatabaseSync } from 'node:sqlite'
import type { Vm } from '../infra/provider.ts'
import { hasTable } from './job-db-open.ts'

/** Four parts that add up to `total` exactly, in micro-dollars or milliseconds. */
export interface Division {
  readonly total: number
  /** Attempts that came to an end of their own, whatever it was. */
  readonly useful: number
  /** Attempts that were interrupted, and what a VM did unheard before it was taken away. */
  readonly lost: number
  /** From the launch to the first task or sign of life. */
  readonly boot: number
  readonly idle: number
}

export interface LedgerLine {
  readonly instanceType: string
  readonly zone: string
  readonly spot: boolean
  readonly vmCount: number
  readonly completedCount: number
  readonly microUsd: Division
  readonly milliseconds: Division
}

/** One line for each instance type in each zone, spot apart from on demand, dearest first. Empty for a DB without ledger. */
export function readLedger(sqlite: DatabaseSync): readonly LedgerLine[] {
  if (!hasTable(sqlite, 'decisions')) return [] // made in the same step as the view
  const rows = sqlite
    .prepare(
      `SELECT instance_type, zone, spot, count(*) AS vms, sum(completed) AS completed,
         sum(micro_usd) AS micro_usd, sum(useful_micro_usd) AS useful_micro_usd, sum(lost_micro_usd) AS lost_micro_usd,
         sum(boot_micro_usd) AS boot_micro_usd, sum(idle_micro_usd) AS idle_micro_usd,
         sum(total_ms) AS total_ms, sum(useful_ms) AS useful_ms, sum(lost_ms) AS lost_ms,
         sum(boot_ms) AS boot_ms, sum(idle_ms) AS idle_ms
       FROM ledger GROUP BY 1, 2, 3 ORDER BY micro_usd DESC, 1, 2`,
    )
    .all()
  return rows.map(row => ({
    instanceType: String(row.instance_type),
    zone: String(row.zone),
    spot: row.spot === 1,
    vmCount: Number(row.vms),
    completedCount: Number(row.completed),
    microUsd: divisionOf(row, 'micro_usd', 'micro_usd'),
    milliseconds: divisionOf(row, 'ms', 'total_ms'),
  }))
}

export function sumDivisions(divisions: readonly Division[]): Division {
  const sum = (part: keyof Division) => divisions.reduce((total, division) => total + division[part], 0)
  return { total: sum('total'), useful: sum('useful'), lost: sum('lost'), boot: sum('boot'), idle: sum('idle') }
}

const MS_PER_HOUR = 3_600_000

/** Of a VM from `from` to `to`, rounded to the nearest micro-dollar as in the view. */
function microUsd(priceUsdPerHour: number | undefined, milliseconds: number): number {
  const microUsdPerHour = Math.round((priceUsdPerHour ?? 0) * 1e6)
  return Math.floor((Math.max(0, milliseconds) * microUsdPerHour + MS_PER_HOUR / 2) / MS_PER_HOUR)
}

export function microUsdOf(vm: Vm, now: Date): number {
  return microUsd(vm.priceUsdPerHour, (vm.endedAt ?? now).getTime() - vm.launchedAt.getTime())
}

function divisionOf(row: Readonly<Record<string, unknown>>, unit: string, total: string): Division {
  const part = (name: string) => Number(row[`${name}_${unit}`])
  return {
    total: Number(row[total]),
    useful: part('useful'),
    lost: part('lost'),
    boot: part('boot'),
    idle: part('idle'),
  }
}
