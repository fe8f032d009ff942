// What the job DB knows of VMs: the provider's listing, what they cost, and when they were last heard from.
import type { DatabaseSync } from 'node:sqlite'
import { vmId } from '../core/ids.ts'
import type { Vm, VmState } from '../infra/provider.ts'
import type { BatchSum, VmWork } from './applied-batch.ts'
import { readJobFacts } from './job-db-facts.ts'
import { normalizeTimestamp, parseTimestamp, renderTimestamp } from './timestamps.ts'

export interface VmRecord extends Vm {
  readonly lastHeardAt?: Date
  /** Attempts that ended there, whatever the outcome. */
  readonly attemptCount: number
  readonly completedCount: number
  /** Sum over its attempts; more than its lifetime when it has several slots. */
  readonly busySeconds: number
  /** How long it may live on the money reserved for it at its launch; absent without a limit of money. */
  readonly paidSeconds?: number
}

export interface SaveVmsOptions {
  /** Of each of these VMs; kept once they are known. */
  readonly paidSeconds?: number | undefined
  /** Tasks at once on a VM of this size; kept once it is known. */
  readonly slotsOf?: (vm: Vm) => number
  /** `vms` is a whole listing of the pool: what is saved as alive and not in it has ended. */
  readonly complete?: boolean
}

/** A VM of type `unknown` is one of which its cloud has forgotten all but the name and the end: what was known of it stays. */
export function saveVms(sqlite: DatabaseSync, vms: readonly Vm[], now: Date, options: SaveVmsOptions): void {
  const { complete, paidSeconds, slotsOf } = options
  const upsert = sqlite.prepare(`
    INSERT INTO instances (id, state, instance_type, zone, spot, vcpus, price_per_hour, launched_at, ended_at, end_reason,
      slots, paid_seconds, listed_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?14)
    ON CONFLICT DO UPDATE SET state = ?2, zone = ?4, price_per_hour = coalesce(?7, price_per_hour),
      instance_type = coalesce(CASE WHEN ?3 = 'unknown' THEN instance_type END, ?3),
      spot = coalesce(CASE WHEN ?3 = 'unknown' THEN spot END, ?5), vcpus = coalesce(CASE WHEN ?3 = 'unknown' THEN vcpus END, ?6),
      launched_at = coalesce(CASE WHEN ?3 = 'unknown' THEN launched_at END, ?8),
      ended_at = CASE WHEN ?13 THEN coalesce(ended_at, ?9) ELSE ?9 END,
      end_reason = coalesce(?10, end_reason), slots = coalesce(slots, ?11), paid_seconds = coalesce(paid_seconds, ?12),
      listed_at = ?14`)
  for (const vm of vms) {
    const endedAt = vm.endedAt ?? (vm.state === 'terminated' ? now : undefined)
    upsert.run(
      vm.id,
      vm.state,
      vm.instanceType,
      vm.zone,
      Number(vm.spot),
      vm.vcpuCount,
      vm.priceUsdPerHour ?? null,
      renderTimestamp(vm.launchedAt),
      endedAt === undefined ? null : renderTimestamp(endedAt),
      vm.endReason ?? null,
      slotsOf?.(vm) ?? null,
      paidSeconds ?? null,
      Number(vm.endedAt === undefined && vm.state === 'terminated'), // its cloud never says: when it was first seen ended
      renderTimestamp(now),
    )
  }
  if (complete) endAllBut(sqlite, vms, now)
}

/**
 * A VM is listed for an hour after its end: one that is not has ended while nobody looked. It is billed to its last sign of
 * life, or where money was reserved for it, to the end of that: a limit of money must hold in the worst case.
 */
function endAllBut(sqlite: DatabaseSync, vms: readonly Vm[], now: Date): void {
  sqlite
    .prepare(
      `UPDATE instances SET state = 'terminated', end_reason = 'not listed any more',
         ended_at = coalesce(ended_at,
           CASE WHEN paid_seconds IS NOT NULL THEN
             min(strftime('%Y-%m-%dT%H:%M:%f000+00:00', launched_at, paid_seconds || ' seconds'), ?1) END,
           max(coalesce(last_heard_at, launched_at), launched_at), ?1)
       WHERE state IS NOT NULL AND state <> 'terminated' AND id NOT IN (SELECT value FROM json_each(?2))`,
    )
    .run(renderTimestamp(now), JSON.stringify(vms.map(vm => vm.id)))
}

/** The last sign of life and the work done, also of VMs that are not listed yet. */
export function addVmWork(sqlite: DatabaseSync, { receivedAt, heardAt, workOf }: BatchSum): void {
  const upsert = sqlite.prepare(`
    INSERT INTO instances (id, last_heard_at, attempts, completed, busy_seconds, lost_seconds, ready_at, last_work_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT DO UPDATE SET last_heard_at = max(coalesce(last_heard_at, ''), ?2), attempts = attempts + ?3,
      completed = completed + ?4, busy_seconds = busy_seconds + ?5, lost_seconds = lost_seconds + ?6,
      ready_at = min(coalesce(ready_at, ?7), ?7), last_work_at = max(coalesce(last_work_at, ?8), coalesce(?8, last_work_at))`)
  for (const id of heardAt.keys()) {
    const work = workOf.get(id)
    const heard = renderTimestamp(receivedAt)
    upsert.run(
      id,
      heard,
      work?.attemptCount ?? 0,
      work?.completedCount ?? 0,
      work?.busySeconds ?? 0,
      work?.lostSeconds ?? 0,
      work === undefined ? heard : (startOfWork(work) ?? heard),
      work === undefined ? null : normalizeTimestamp(work.lastEndedAt),
    )
  }
}

/** By the VM's clock: the manager may have heard of it much later. */
function startOfWork({ firstEndedAt, firstElapsedSeconds }: VmWork): string | undefined {
  const endedAt = parseTimestamp(normalizeTimestamp(firstEndedAt))
  return endedAt === undefined ? undefined : renderTimestamp(new Date(endedAt.getTime() - firstElapsedSeconds * 1000))
}

export function readVms(sqlite: DatabaseSync): readonly VmRecord[] {
  const { jobId = '' } = readJobFacts(sqlite)
  const rows = sqlite.prepare('SELECT * FROM instances WHERE state IS NOT NULL ORDER BY launched_at, id').all()
  return rows.map(row => {
    const endedAt = parseTimestamp(row.ended_at)
    const lastHeardAt = parseTimestamp(row.last_heard_at)
    return {
      id: vmId(String(row.id)),
      jobId,
      state: row.state as VmState,
      instanceType: String(row.instance_type),
      zone: String(row.zone),
      spot: row.spot === 1,
      vcpuCount: Number(row.vcpus),
      priceUsdPerHour: typeof row.price_per_hour === 'number' ? row.price_per_hour : undefined,
      launchedAt: parseTimestamp(row.launched_at) ?? new Date(0),
      attemptCount: Number(row.attempts),
      completedCount: Number(row.completed),
      busySeconds: Number(row.busy_seconds),
      ...(endedAt === undefined ? undefined : { endedAt }),
      ...(typeof row.end_reason === 'string' ? { endReason: row.end_reason } : undefined),
      ...(lastHeardAt === undefined ? undefined : { lastHeardAt }),
      ...(typeof row.paid_seconds === 'number' ? { paidSeconds: row.paid_seconds } : undefined),
    }
  })
}
