// VMs as bars of a timeline, and what ran on one of them. From the listing that the manager saved; where there is none, from
// what events tell.
import type { SpansView, SpanView, VmRow } from './api.ts'
import { ATTEMPT_KINDS } from './columns.ts'
import type { JobIndex } from './job-index.ts'
import { defined, instantOf, numberOf, textOf } from './row-values.ts'
import type { WatchedDb } from './watched-db.ts'

const MOST_SPANS = 2000

/** Oldest first. */
export function readVmRows(watched: WatchedDb, index: JobIndex): readonly VmRow[] {
  const listed = watched.has('instances')
    ? watched.db.sqlite
        .prepare('SELECT * FROM instances WHERE state IS NOT NULL ORDER BY launched_at, id')
        .all()
        .map(row => listedVm(row, index))
    : []
  const known = new Set(listed.map(vm => vm.id))
  const traced = index.vms.filter(({ id, attempts }) => id !== '' && attempts > 0 && !known.has(id))
  if (traced.length === 0) return listed
  const heard = traced.map(({ id, firstMs, lastMs, noticeMs, attempts, completed }) =>
    defined<VmRow>({
      id,
      launchedAt: instantOfMs(firstMs) ?? new Date(0).toISOString(),
      readyAt: instantOfMs(firstMs),
      endedAt: instantOfMs(lastMs),
      noticeAt: instantOfMs(noticeMs),
      attempts,
      completed,
    }),
  )
  return [...listed, ...heard].sort((a, b) => (a.launchedAt < b.launchedAt ? -1 : 1))
}

function listedVm(row: Readonly<Record<string, unknown>>, index: JobIndex): VmRow {
  const id = String(row.id)
  const launchedAt = instantOf(row.launched_at) ?? new Date(0).toISOString()
  const endedAt = instantOf(row.ended_at)
  const price = numberOf(row.price_per_hour)
  const seconds = ((endedAt === undefined ? Date.now() : Date.parse(endedAt)) - Date.parse(launchedAt)) / 1000
  return defined<VmRow>({
    id,
    state: textOf(row.state),
    type: textOf(row.instance_type),
    zone: textOf(row.zone),
    spot: row.spot === 1,
    slots: numberOf(row.slots) ?? numberOf(row.vcpus),
    launchedAt,
    readyAt: instantOf(row.ready_at) ?? instantOf(row.last_heard_at),
    endedAt,
    endReason: textOf(row.end_reason),
    noticeAt: instantOfMs(index.vms[index.findVm(id) ?? 0]?.noticeMs),
    priceUsdPerHour: price,
    attempts: Number(row.attempts),
    completed: Number(row.completed),
    costUsd: price === undefined ? undefined : (price * Math.max(0, seconds)) / 3600,
  })
}

function instantOfMs(ms: number | undefined): string | undefined {
  return ms === undefined || !Number.isFinite(ms) ? undefined : new Date(ms).toISOString()
}

interface Span {
  readonly row: number
  readonly startS: number
  readonly endS: number
  readonly kind: number
}

/** Attempts of a VM that touch the time between two instants. Where they are too many, the longest: the rest is thinner than a pixel. */
export function readSpans(
  watched: WatchedDb,
  index: JobIndex,
  { vmId, fromS, toS }: { readonly vmId: string; readonly fromS: number; readonly toS: number },
): SpansView {
  const vm = index.findVm(vmId)
  if (vm === undefined) return { spans: [], cut: false }
  const { attempts } = index
  const found: Span[] = []
  let cut = false
  for (let at = 0; at < attempts.count; at++) {
    if (attempts.vm[at] !== vm) continue
    const endS = attempts.endedMs(at) / 1000
    const startS = endS - (attempts.elapsed[at] ?? 0)
    if (endS < fromS || startS > toS) continue
    found.push({ row: attempts.taskRow[at] ?? 0, startS, endS, kind: attempts.kind[at] ?? 0 })
    if (found.length < MOST_SPANS * 4) continue
    keepLongest(found)
    cut = true
  }
  cut ||= found.length > MOST_SPANS
  keepLongest(found)
  found.sort((a, b) => a.startS - b.startS)
  return { spans: nameSpans(watched, found), cut }
}

function keepLongest(spans: Span[]): void {
  if (spans.length <= MOST_SPANS) return
  spans.sort((a, b) => b.endS - b.startS - (a.endS - a.startS))
  spans.length = MOST_SPANS
}

function nameSpans(watched: WatchedDb, spans: readonly Span[]): readonly SpanView[] {
  const rows = watched.db.sqlite
    .prepare('SELECT rowid AS row, task_id FROM tasks WHERE rowid IN (SELECT value FROM json_each(?))')
    .all(JSON.stringify(spans.map(span => span.row)))
  const ids = new Map(rows.map(row => [Number(row.row), String(row.task_id)]))
  return spans.map(({ row, startS, endS, kind }) => ({
    taskId: ids.get(row) ?? '',
    startS: Math.round(startS * 1000) / 1000,
    endS: Math.round(endS * 1000) / 1000,
    outcome: ATTEMPT_KINDS[kind] ?? 'completed',
  }))
}
