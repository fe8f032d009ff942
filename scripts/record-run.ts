// node scripts/record-run.ts JOB.db > test/fixtures/recorded-runs/NAME.jsonl: how a real job went, from its database,
// moment by moment, as its manager saw it: to see how well the ends of real jobs are foretold.
import { basename } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { RecordedMoment, RecordedRun } from './simulate/record-progress.ts'

const MOMENT_COUNT = 60

interface Vm {
  readonly launchedMs: number
  readonly readyMs: number
  readonly endedMs: number
  readonly slotCount: number
  readonly usdPerHour: number
  readonly preempted: boolean
}

function readRun(file: string): RecordedRun {
  const sqlite = new DatabaseSync(file, { readOnly: true })
  const ms = (column: string) => `CAST(unixepoch(${column}, 'subsec') * 1000 AS INTEGER)`
  const tasks = sqlite
    .prepare(`SELECT ${ms('completed_at')} AS ended, elapsed_time AS seconds FROM tasks ORDER BY 1`)
    .all()
    .map(row => ({ endedMs: Number(row.ended), seconds: Number(row.seconds) }))
  const vms = sqlite
    .prepare(
      `SELECT ${ms('launched_at')} AS launched, ${ms('coalesce(ready_at, ended_at)')} AS ready, ${ms('ended_at')} AS ended,
         slots, price_per_hour AS price, end_reason AS reason FROM instances`,
    )
    .all()
    .map(row => ({
      launchedMs: Number(row.launched),
      readyMs: Number(row.ready),
      endedMs: Number(row.ended),
      slotCount: Number(row.slots),
      usdPerHour: Number(row.price),
      preempted: row.reason === 'preempted',
    }))
  // Attempts after which another one was wanted.
  const again = sqlite
    .prepare(
      `SELECT task_id, ${ms('events.timestamp')} AS at, ${ms('completed_at')} AS ended FROM events JOIN tasks USING (task_id)
       WHERE event_type <> 'task_interrupted' AND json_extract(raw_event, '$.retry')`,
    )
    .all()
    .map(row => ({ taskId: row.task_id, atMs: Number(row.at), endedMs: Number(row.ended) }))
  sqlite.close()
  const startMs = Math.min(...vms.map(vm => vm.launchedMs))
  const endMs = tasks.at(-1)?.endedMs ?? startMs
  const stepMs = (endMs - startMs) / MOMENT_COUNT
  const moments = Array.from({ length: MOMENT_COUNT }, (_, index) =>
    momentAt(Math.round(startMs + index * stepMs), stepMs, tasks, vms, again),
  )
  return { name: basename(file, '.db'), moments, endMs, costUsd: costAt(vms, endMs) }
}

function momentAt(
  atMs: number,
  stepMs: number,
  tasks: readonly { readonly endedMs: number; readonly seconds: number }[],
  vms: readonly Vm[],
  again: readonly { readonly taskId: unknown; readonly atMs: number; readonly endedMs: number }[],
): RecordedMoment {
  const done = tasks.filter(task => task.endedMs <= atMs)
  const alive = vms.filter(vm => vm.launchedMs <= atMs && vm.endedMs > atMs)
  const sum = (some: readonly Vm[], of: (vm: Vm) => number) => some.reduce((total, vm) => total + of(vm), 0)
  const slots = (vm: Vm) => vm.slotCount
  return {
    atMs,
    doneCount: done.length,
    unfinishedCount: tasks.length - done.length,
    slotCount: sum(
      alive.filter(vm => vm.readyMs <= atMs),
      slots,
    ),
    startingSlotCount: sum(
      alive.filter(vm => vm.readyMs > atMs),
      slots,
    ),
    lostSlotCount: sum(
      vms.filter(vm => vm.preempted && vm.endedMs <= atMs),
      slots,
    ),
    usdPerHour: sum(alive, vm => vm.usdPerHour),
    againCount: new Set(again.filter(each => each.atMs <= atMs && each.endedMs > atMs).map(each => each.taskId)).size,
    spentUsd: costAt(vms, atMs),
    taskSeconds: done.filter(task => task.endedMs > atMs - stepMs).map(task => Math.round(task.seconds * 1000) / 1000),
  }
}

function costAt(vms: readonly Vm[], atMs: number): number {
  const usd = vms.reduce(
    (sum, vm) => sum + (Math.max(0, Math.min(vm.endedMs, atMs) - vm.launchedMs) * vm.usdPerHour) / 3_600_000,
    0,
  )
  return Math.round(usd * 1e9) / 1e9
}

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('Give the database of a finished job.')
const { moments, ...rest } = readRun(file)
console.log([rest, ...moments].map(line => JSON.stringify(line)).join('\n'))
