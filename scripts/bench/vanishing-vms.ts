// What a vanishing VM costs: after a spot notice, until its unstarted work is back; after kill -9, until all of it runs elsewhere.
import { eventQueueName } from '../../core/names.ts'
import { parseEvent } from '../../core/task-event.ts'
import { preemptVm } from '../../infra/local/pool.ts'
import type { Context } from './context.ts'
import { until, VmJob } from './local-vms.ts'
import { median, quantile } from './measure.ts'
import { JOB_ID } from './place.ts'
import type { Row } from './row.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const SLOTS = 2
const SHORT_TASKS = 2000 // teach the agent that tasks are short, so that it takes many ahead
const LONG_TASKS = 200
const LONG_SECONDS = 100
const KILL_LEASE_SECONDS = 5
const KILL_TASKS = 8

export async function measureNotice({ sizes, say }: Context): Promise<readonly Row[]> {
  say('spot notice')
  const samples: number[] = []
  for (let index = 0; index < sizes.preemptions; index++) samples.push(await noticeMs())
  const rows: readonly Row[] = [
    { what: 'spot notice → unstarted work visible to others, median', unit: 'ms', ours: median(samples) },
    { what: 'the same, p99', unit: 'ms', ours: quantile(samples, 0.99), target: { below: 1000 } },
  ]
  return rows.map(row => ({ ...row, note: `${sizes.preemptions} preemptions` }))
}

export async function measureKill({ sizes, say }: Context): Promise<readonly Row[]> {
  say('kill -9 of a VM')
  const samples: number[] = []
  for (let index = 0; index < sizes.kills; index++) samples.push(await killSeconds())
  return [
    {
      what: `kill -9 of a VM → all its tasks running elsewhere, lease ${KILL_LEASE_SECONDS} s, worst`,
      unit: 's',
      ours: Math.max(...samples),
      target: { below: KILL_LEASE_SECONDS + 5 },
      note: `${sizes.kills} kills`,
    },
  ]
}

async function noticeMs(): Promise<number> {
  await using folder = await openTemporaryFolder()
  await using job = await VmJob.open(folder.path, { leaseSeconds: 60, noticeSeconds: 5 })
  const { log } = job
  await job.send([
    ...Array.from({ length: SHORT_TASKS }, (_, index) => ({ id: `short-${index}`, data: {} })),
    ...Array.from({ length: LONG_TASKS }, (_, index) => ({
      id: `long-${index}`,
      data: { log, seconds: LONG_SECONDS },
    })),
  ])
  const vm = await job.launch()
  await until(`${SLOTS} long tasks run and the VM holds the others`, async () => {
    return (await job.starts()).size === SLOTS && (await job.queue.admin.depth())?.leased === LONG_TASKS
  })
  const startedAt = performance.now()
  await preemptVm(job.root, vm)
  await until('the unstarted tasks are back', async () => {
    return ((await job.queue.admin.depth())?.ready ?? 0) >= LONG_TASKS - SLOTS
  })
  return performance.now() - startedAt
}

async function killSeconds(): Promise<number> {
  await using folder = await openTemporaryFolder()
  await using job = await VmJob.open(folder.path, { leaseSeconds: KILL_LEASE_SECONDS, noticeSeconds: 5 })
  const victim = await job.launch()
  const data = { log: job.log, seconds: LONG_SECONDS, onlyOn: victim }
  const ids = Array.from({ length: KILL_TASKS }, (_, index) => `task-${index}`)
  await job.send(ids.map(id => ({ id, data })))
  await until(`${SLOTS} tasks run`, async () => (await job.starts()).size === SLOTS)
  const held = (await job.queue.admin.depth())?.leased ?? 0
  const other = await job.launch()
  await until('the other VM has done all that it can get', async () => {
    return (await job.queue.admin.depth())?.ready === 0 && (await job.starts()).size >= KILL_TASKS - held + SLOTS
  })
  const startedAt = performance.now()
  await job.pool.terminate([victim]) // SIGKILL to its host and to all its processes
  await until('all of its tasks started on the other VM', async () => {
    const starts = await job.starts()
    return ids.every(id => starts.get(id) === other)
  })
  const seconds = (performance.now() - startedAt) / 1000
  await expectNothingLost(job, ids)
  return seconds
}

async function expectNothingLost(job: VmJob, ids: readonly string[]): Promise<void> {
  const events = job.provider.openQueue(eventQueueName(JOB_ID), { leaseSeconds: 60 })
  const completed = new Set<string>()
  await until('every task is completed', async () => {
    for (const { body } of await events.receive({ maxMessages: 1000, waitSeconds: 0 })) {
      const event = parseEvent(body)
      if (event?.kind === 'attempt' && event.outcome.kind === 'completed') completed.add(event.taskId)
    }
    return ids.every(id => completed.has(id))
  })
}
