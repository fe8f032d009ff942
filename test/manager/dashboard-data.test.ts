// The state of a job, its table of tasks and one task as the dashboard shows them, held against the job database itself.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { vmId } from '../../core/ids.ts'
import type { ExceptionsView, JobView, TaskDetail, TasksView } from '../../manager/dashboard/api.ts'
import { DashboardJob } from '../support/dashboard-job.ts'

const TIMEOUT = { timeout: 60_000 }

let job: DashboardJob
beforeEach(() => {
  job = new DashboardJob()
})
afterEach(() => job.remove())

const idsOf = (view: TasksView) => view.rows.map(row => row.taskId)

describe('the state of a job', TIMEOUT, () => {
  it('is that of the database, before and after further events', async () => {
    job.load(['a', 'b', 'c'])
    job.collect(['completed', 'a', { result: 1 }])
    const page = await job.open()
    const first = await page.indexed()
    assert.deepEqual([first.jobId, first.provider, first.total, first.doneCount], ['page', 'local', 3, 1])
    assert.deepEqual([first.counts.completed, first.counts.in_queue_original], [1, 2])
    assert.deepEqual([first.managerAlive, first.control, first.finishedAt], [false, false, undefined])

    job.collect(['exception', 'b', { exception: 'Error: x' }], ['timed_out', 'c', {}])
    const last = await page.until<JobView>('the end', '/api/job', view => view.finishedAt !== undefined)
    assert.deepEqual([last.doneCount, last.failedCount], [3, 2])
    assert.equal(last.finishedAt, '2026-01-01T00:00:03.000Z')
    assert.equal(last.startedAt, '2026-01-01T00:00:00.000Z')
  })

  it('has the money that the ledger has', async () => {
    job.load(['a'])
    const launchedAt = new Date(Date.now() - 3_600_000)
    const vm = { id: vmId('vm-1'), jobId: 'page', state: 'running', instanceType: 't', zone: 'z', spot: true } as const
    job.db.saveVms([{ ...vm, vcpuCount: 2, priceUsdPerHour: 0.5, launchedAt }], new Date())
    const { cost, vms } = await (await job.open()).job()
    assert.deepEqual([cost.usdPerHour, vms.running], [0.5, 1])
    assert.ok(Math.abs(cost.spentUsd - 0.5) < 0.01, String(cost.spentUsd))
    const parts = cost.usefulUsd + cost.lostUsd + cost.bootUsd + cost.idleUsd
    assert.ok(Math.abs(parts - cost.spentUsd) < 1e-5, `${parts} ${cost.spentUsd}`)
  })
})

describe('the table of tasks', TIMEOUT, () => {
  const STATES = ['completed', 'exception', 'exited'] as const

  /** 1,000 tasks: every third one each of completed, failed with an exception, exited; on 4 VMs. */
  function loadMany(): void {
    const ids = Array.from({ length: 1000 }, (_, number) => `img-${String(number).padStart(4, '0')}`)
    job.load(ids)
    job.collect(
      ...ids.slice(0, 900).map((id, number) => {
        const type = STATES[number % 3] ?? 'completed'
        const fields = { elapsed_time: ((number * 37) % 900) / 10, instance_id: `vm-${number % 4}` }
        const what =
          type === 'exception' ? { exception: `Error: bad ${number}` } : type === 'exited' ? { exit_code: 3 } : {}
        return [type, id, { ...fields, ...what }] as const
      }),
    )
  }

  it('gives for every filter and order the rows that SQL gives, page after page', async () => {
    loadMany()
    const page = await job.open()
    await page.indexed()
    const group = (await page.get<ExceptionsView>('/api/exceptions')).groups.find(found => /bad/.test(found.firstLine))
    const cases = [
      ['', '1', 'rowid'],
      ['status=completed', "status = 'completed'", 'rowid'],
      ['status=exception,exited_without_status&dir=desc', "status LIKE 'ex%'", 'rowid DESC'],
      ['status=unfinished', "status = 'in_queue_original'", 'rowid'],
      ['sort=elapsed', 'elapsed_time NOTNULL', 'elapsed_time, rowid'],
      ['sort=elapsed&dir=desc&status=completed', "status = 'completed'", 'elapsed_time DESC, rowid DESC'],
      ['sort=ended&dir=desc', 'completed_at NOTNULL', 'completed_at DESC, rowid DESC'],
      ['search=-07', "instr(task_id, '-07')", 'rowid'],
      ['search=img', '1', 'rowid'],
      ['search=nothing', '0', 'rowid'],
      ['vm=vm-2', `task_id IN (SELECT task_id FROM events WHERE raw_event LIKE '%"vm-2"%')`, 'rowid'],
      ['vm=vm-9', '0', 'rowid'],
      [`exception=${group?.id}`, "exception LIKE 'Error: bad %'", 'rowid'],
      [`exception=${group?.id}&search=5&vm=vm-1&sort=elapsed`, MIXED, 'elapsed_time, rowid'],
    ] as const
    for (const [query, where, order] of cases) {
      const wanted = job.db.sqlite.prepare(`SELECT task_id FROM tasks WHERE ${where} ORDER BY ${order}`).all()
      const got: string[] = []
      let after = ''
      do {
        const view = await page.get<TasksView>(`/api/tasks?${query}&limit=70${after}`)
        assert.equal(view.totalMatching, wanted.length, query)
        assert.equal(view.complete, true)
        got.push(...idsOf(view))
        after = view.next === undefined ? '' : `&after=${view.next}`
      } while (after !== '')
      assert.deepEqual(
        got,
        wanted.map(row => row.task_id),
        query,
      )
    }
  })

  const MIXED = `exception LIKE 'Error: bad %' AND instr(task_id, '5')
    AND task_id IN (SELECT task_id FROM events WHERE raw_event LIKE '%"vm-1"%')`

  it('shows a row as it is, its texts cut to what a table can show', async () => {
    job.load(['a', 'b'])
    job.collect(
      ['completed', 'a', { result: 'r'.repeat(1000), elapsed_time: 2.5, attempt: 3, instance_id: 'vm-1' }],
      [
        'exception',
        'b',
        { exception: `Traceback (most recent call last):\n  File "x.py"\nKeyError: '${'k'.repeat(400)}'` },
      ],
    )
    const page = await job.open()
    await page.indexed()
    const { rows } = await page.get<TasksView>('/api/tasks')
    const [a, b] = rows
    assert.deepEqual([a?.attempt, a?.elapsedSeconds, a?.endedAt], [3, 2.5, '2026-01-01T00:00:01.000Z'])
    assert.deepEqual([a?.vmId, a?.hostname, a?.result?.length], ['vm-1', 'host', 301])
    assert.match(b?.exception ?? '', /^KeyError: 'k+$/)
    assert.equal(b?.exception?.length, 300)
  })

  it('finds and shows tasks whatever their ids are', async () => {
    const ids = ['..', '.', 'a/b', '%2e', 'ünïcödé', '<script>alert(1)</script>', `'"\\`, ' ', 'a?b#c', '日本']
    job.load(ids)
    const page = await job.open()
    await page.indexed()
    assert.deepEqual(idsOf(await page.get<TasksView>('/api/tasks')), ids)
    for (const id of ids) {
      const found = await page.get<TasksView>(`/api/tasks?search=${encodeURIComponent(id)}`)
      assert.ok(idsOf(found).includes(id), id)
      assert.equal((await page.get<TaskDetail>(`/api/task?id=${encodeURIComponent(id)}`)).taskId, id)
    }
    assert.equal((await page.get<TaskDetail>(`/api/tasks/${encodeURIComponent('a/b')}`)).taskId, 'a/b')
    assert.equal((await page.ask('/api/task?id=no')).status, 404)
  })

  it('follows what changes without an event: sending and requeueing', async () => {
    const page = await job.open()
    await page.indexed()
    job.load(['a', 'b', 'c'])
    const inQueue = (view: TasksView) => view.totalMatching === 3
    await page.until<TasksView>('sent tasks', '/api/tasks?status=in_queue_original', inQueue)
    job.collect(['exception', 'b', { exception: 'Error: x', dead_letter: '3 failures' }])
    await page.until<TasksView>('the failure', '/api/tasks?status=failed', view => view.totalMatching === 1)
    job.db.resetTasks(['b'])
    await page.until<TasksView>('the requeued task', '/api/tasks?status=in_queue_original', inQueue)
    assert.deepEqual((await page.get<ExceptionsView>('/api/exceptions')).groups, [])
  })

  it('says what is wrong with a request', async () => {
    const page = await job.open()
    for (const [query, message] of [
      ['status=done', /"status" "done" is none/],
      ['sort=name', /"sort" must be one of order, elapsed/],
      ['limit=1000000', /"limit" must be a number from 1 to 500/],
      ['limit=x', /"limit" must be a number/],
      ['after=abc', /"after" is not a cursor/],
    ] as const) {
      const { status, body } = await page.ask(`/api/tasks?${query}`)
      assert.equal(status, 400, query)
      assert.match(JSON.parse(body).error, message)
    }
  })
})

describe('one task', TIMEOUT, () => {
  it('comes with every attempt, its events and its last log lines', async () => {
    job.load(['a'], () => ({ of: 'a' }))
    job.collect(
      ['interrupted', 'a', { reason: 'preempted', retry: true, instance_id: 'vm-1', elapsed_time: 0.5 }],
      [
        'exception',
        'a',
        { attempt: 2, retry: true, exception: 'Error: x', log_tail: 'line 1\nline 2', cpu_seconds: 0.2 },
      ],
      ['completed', 'a', { attempt: 3, result: { x: 1 }, max_rss_bytes: 5, log_url: 'file:log' }],
    )
    const page = await job.open()
    const detail = await page.get<TaskDetail>('/api/task?id=a')
    assert.deepEqual([detail.status, detail.data, detail.result], ['completed', '{"of":"a"}', '{"x":1}'])
    const [first, second, third] = detail.attempts
    assert.deepEqual(
      [first?.outcome, first?.reason, first?.vmId, first?.retry],
      ['interrupted', 'preempted', 'vm-1', true],
    )
    assert.deepEqual([first?.startedAt, first?.endedAt], ['2026-01-01T00:00:00.500Z', '2026-01-01T00:00:01.000Z'])
    assert.deepEqual([second?.exception, second?.logTail, second?.cpuSeconds], ['Error: x', 'line 1\nline 2', 0.2])
    assert.deepEqual([third?.attempt, third?.maxRssBytes, third?.logUrl], [3, 5, 'file:log'])
    assert.equal(JSON.parse(third?.raw ?? '').event_type, 'task_completed')
  })

  it('has a bound, however much a task says', async () => {
    job.load(['a'])
    const failed = (attempt: number, exception: string) =>
      ['exception', 'a', { attempt, retry: true, exception }] as const
    job.collect(...Array.from({ length: 250 }, (_, n) => failed(n + 1, n === 249 ? 'x'.repeat(150_000) : 'x')))
    const page = await job.open()
    const detail = await page.get<TaskDetail>('/api/task?id=a')
    assert.equal(detail.attempts.length, 200)
    assert.equal(detail.attempts.at(-1)?.attempt, 250)
    assert.equal(detail.exception?.length, 100_001)
  })
})
