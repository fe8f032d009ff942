import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { JobFolder, type JobFolderOptions, type RunningCli } from '../support/job-folder.ts'

const CLI = fileURLToPath(new URL('../../manager/main.ts', import.meta.url))
const FRESH = ['run', '--config', 'job.yml', '--task-file', 'tasks.json'] as const
const AGAIN = ['run', '--config', 'job.yml', '--continue'] as const
const TIMEOUT = { timeout: 60_000 }
const ADDS_IN_60_MS = `export default async (id, { a, b }) => {
  await new Promise(resolve => setTimeout(resolve, 60))
  return a + b
}`

function jobFolder(t: TestContext, options: JobFolderOptions): JobFolder {
  const folder = new JobFolder(options)
  t.after(() => folder.remove())
  return folder
}

async function until(what: string, met: () => boolean, running?: RunningCli): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!met()) {
    assert.ok(Date.now() < deadline, `waited for: ${what}`)
    assert.ok(running === undefined || running.child.exitCode === null, `ended before: ${what}`)
    await sleep(20)
  }
}

function assertAllRight(folder: JobFolder, taskCount: number): void {
  assert.equal(folder.count("status = 'completed'"), taskCount)
  assert.equal(folder.count("result = json_extract(task_data, '$.a') + json_extract(task_data, '$.b')"), taskCount)
  assert.equal(folder.query("SELECT 1 FROM instances WHERE state <> 'terminated'").length, 0)
}

describe('run', () => {
  it('does a whole job, ends its VMs, deletes its queues and reports', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 300 })
    const { exitCode, stdout, stderr } = await folder.run(...FRESH, '--output-file', 'events.jsonl')
    assert.equal(exitCode, 0, stderr)
    assert.match(stdout, /Completed +300/)
    assertAllRight(folder, 300)
    assert.equal(readFileSync(folder.file('events.jsonl'), 'utf8').trim().split('\n').length >= 300, true)
    assert.match((await folder.run('show_queue', '--config', 'job.yml')).stdout, /does not exist/)
    assert.deepEqual(folder.processes(), [])

    const again = await folder.run(...AGAIN, '--json', '--quiet')
    assert.equal(again.exitCode, 0, 'continuing a finished job is harmless')
    assert.equal(JSON.parse(again.stdout).allCompleted, true)
    assert.equal(again.stderr, '')
    const why = await folder.run('why', '--config', 'job.yml')
    assert.match(why.stdout, /^At .* UTC there was .* unfinished tasks?.*\.\n$/)
    const decision = JSON.parse((await folder.run('why', '--db-file', 'job.db', '--json')).stdout)
    assert.equal(typeof decision.reason, 'string')
    assert.match((await folder.run('why', '--config', 'job.yml', '--at', '2001-01-01')).stderr, /Nothing was decided/)
    const report = await folder.run('report', '--config', 'job.yml', '--json')
    assert.equal(JSON.parse(report.stdout).counts.completed, 300)
  })

  it('exits with 1 when a task failed', TIMEOUT, async t => {
    const taskModule = "export default (id, { a }) => { if (a === 3) throw new Error('three is bad'); return a }"
    const folder = jobFolder(t, { taskCount: 10, taskModule })
    const { exitCode, stdout } = await folder.run(...FRESH)
    assert.equal(exitCode, 1)
    assert.match(stdout, /three is bad/)
    assert.equal(folder.count("status = 'completed'"), 9)
    assert.equal(folder.count("status = 'exception'"), 1)
  })

  it('loads the part of the file that is asked for', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 50 })
    const { exitCode, stderr } = await folder.run(...FRESH, '--start-task', '10', '--limit', '5')
    assert.equal(exitCode, 0, stderr)
    assert.deepEqual(
      folder.query('SELECT task_id FROM tasks').map(row => row.task_id),
      ['sum-10', 'sum-11', 'sum-12', 'sum-13', 'sum-14'],
    )
  })

  it('ends every task once in the database, whenever its manager is killed', TIMEOUT, async t => {
    const taskCount = 1500
    const folder = jobFolder(t, { taskCount, run: ['lease_seconds: 5'] })
    let running = folder.start(...FRESH)
    for (const share of [0, 0.05, 0.4]) {
      await until('some progress', () => folder.query('SELECT 1 FROM tasks LIMIT 1').length > 0, running)
      await until('more progress', () => folder.count("status = 'completed'") >= share * taskCount, running)
      running.child.kill('SIGKILL')
      await running.ended
      running = folder.start(...AGAIN)
    }
    const { exitCode, stderr } = await running.ended
    assert.equal(exitCode, 0, stderr)
    assertAllRight(folder, taskCount)
    assert.deepEqual(folder.processes(), [])
  })

  it('leaves VMs and queues alone on Ctrl-C without a terminal, and goes on later', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 1500 })
    const running = folder.start(...FRESH)
    await until('a result', () => folder.count("status = 'completed'") > 0, running)
    running.child.kill('SIGINT')
    const { exitCode, stderr } = await running.ended
    assert.equal(exitCode, 130)
    assert.match(stderr, /VMs and queues are left.*run --continue/)
    assert.match((await folder.run('status', '--config', 'job.yml')).stdout, /\| running +\| local-\d/)
    const rest = await folder.run(...AGAIN)
    assert.equal(rest.exitCode, 0, rest.stderr)
    assertAllRight(folder, 1500)
  })

  it('exits with 143 on SIGTERM; stop ends the VMs', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 1500 })
    const running = folder.start(...FRESH)
    await until('a result', () => folder.count("status = 'completed'") > 0, running)
    running.child.kill('SIGTERM')
    assert.equal((await running.ended).exitCode, 143)
    assert.match((await folder.run('stop', '--config', 'job.yml')).stdout, /Ended 2 VMs/)
    await until('the VMs are gone', () => folder.processes().length === 0)
  })

  it('sends tasks again that are in no queue any more', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 100 })
    assert.equal((await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')).exitCode, 0)
    assert.equal((await folder.run('delete_queue', '--config', 'job.yml', '--force')).exitCode, 0)
    const { exitCode, stderr } = await folder.run(...AGAIN)
    assert.equal(exitCode, 0, stderr)
    assert.match(stderr, /100 tasks were in no queue any more/)
    assertAllRight(folder, 100)
  })

  it('stops with the reason when no VM can work, and keeps everything', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 10 })
    folder.write('job.yml', readFileSync(folder.file('job.yml'), 'utf8').replace('./task.ts', './missing.ts'))
    const { exitCode, stderr } = await folder.run(...FRESH)
    assert.equal(exitCode, 1)
    assert.match(stderr, /The job stops: \d VMs in a row ended before they could work.*missing\.ts does not exist/)
    assert.equal(folder.count("status = 'in_queue_original'"), 10)
    folder.write('job.yml', readFileSync(folder.file('job.yml'), 'utf8').replace('./missing.ts', './task.ts'))
    assert.equal((await folder.run(...AGAIN)).exitCode, 0)
    assertAllRight(folder, 10)
  })

  it('ends its VMs at the limit of money, and goes on when there is more', TIMEOUT, async t => {
    const folder = jobFolder(t, {
      taskCount: 300,
      taskModule: ADDS_IN_60_MS,
      local: ['price_per_hour: 3600'], // 1 USD a second
      run: ['max_total_price_per_hour: 10000', 'max_total_cost: 13', 'lease_seconds: 3'],
    })
    const { exitCode, stderr } = await folder.run(...FRESH)
    assert.equal(exitCode, 1)
    assert.match(stderr, /The job stops: the job has cost \$\d.*max_total_cost \$13/)
    assert.deepEqual(folder.processes(), [])
    const cost = Number(folder.query('SELECT micro_usd FROM job_cost')[0]?.micro_usd)
    assert.ok(cost > 3e6 && cost <= 13e6, `${cost}`)
    const rest = await folder.run(...AGAIN, '--max-total-cost', '10000')
    assert.equal(rest.exitCode, 0, rest.stderr)
    assertAllRight(folder, 300)
  })

  it('is refused while another manager looks after the job, and free again when that one is dead', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 1500 })
    const running = folder.start(...FRESH)
    await until('a result', () => folder.count("status = 'completed'") > 0, running)
    running.child.kill('SIGSTOP') // so that it cannot end before it is asked after
    for (const command of [AGAIN, [...FRESH, '--force']]) {
      const { exitCode, stderr } = await folder.run(...command)
      assert.equal(exitCode, 1)
      assert.match(stderr, new RegExp(`The job is looked after by another manager \\(process ${running.child.pid} on `))
    }
    running.child.kill('SIGKILL')
    await running.ended
    const rest = await folder.run(...AGAIN)
    assert.equal(rest.exitCode, 0, rest.stderr)
    assertAllRight(folder, 1500)
    assert.deepEqual(folder.query('SELECT * FROM manager_lease'), [])
  })

  it('makes do with the VMs it can get', TIMEOUT, async t => {
    const folder = jobFolder(t, {
      taskCount: 200,
      local: ['capacity: 1'],
      run: ['on_demand_fallback: {after_wait: 0}'],
    })
    const { exitCode, stderr } = await folder.run(...FRESH)
    assert.equal(exitCode, 0, stderr)
    assert.match(stderr, /\(capacity\)/)
    assertAllRight(folder, 200)
  })

  it('refuses what cannot work before it touches anything', TIMEOUT, async t => {
    const folder = jobFolder(t, { taskCount: 10 })
    for (const [args, message] of [
      [['--min-cpu', '4096', '--max-cpu', '8192'], /No instance type meets the requirements/],
      [['--catalog', 'none.json'], /Catalog none\.json does not exist/],
      [['--lease-seconds', '999999'], /lease_seconds is 999999, but local allows at most/],
    ] as const) {
      const { exitCode, stderr } = await folder.run(...FRESH, ...args)
      assert.equal(exitCode, 1)
      assert.match(stderr, message)
    }
    assert.equal(existsSync(folder.dbFile), false)
  })

  const terminal = 'script' // of util-linux: runs a program at a terminal of its own
  const script = spawnSync(terminal, ['--version']).status === 0
  it('asks at a terminal what Ctrl-C means', {
    ...TIMEOUT,
    skip: script ? false : 'needs the program script (util-linux)',
  }, async t => {
    const folder = jobFolder(t, { taskCount: 3000 })
    const command = [process.execPath, CLI, ...FRESH].join(' ')
    const child = spawn(terminal, ['-qec', command, '/dev/null'], {
      cwd: folder.path,
      env: { ...process.env, TERM: 'xterm' },
    })
    let screen = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text
    })
    const answer = async (key: string, question: RegExp) => {
      await until(String(question), () => question.test(screen))
      screen = ''
      child.stdin.write(key)
    }
    await until('a result', () => folder.count("status = 'completed'") > 0)
    child.stdin.write('\x03')
    await answer('what?\r', /or \(C\)ontinue\?/)
    await answer('c\r', /or \(C\)ontinue\?/)
    const before = folder.count("status = 'completed'")
    await until('it goes on', () => folder.count("status = 'completed'") > before)
    child.stdin.write('\x03')
    const closed = once(child, 'close')
    await answer('T\r', /or \(C\)ontinue\?/)
    await answer('perhaps\r', /\(Y\/N\)/)
    await answer('Y\r', /\(Y\/N\)/)
    const [exitCode] = await closed
    assert.equal(exitCode, 130, screen)
    assert.match(screen, /VMs are ended and the queues deleted/)
    await until('the VMs are gone', () => folder.processes().length === 0)
    const counts = folder.query('SELECT status, count(*) AS n FROM tasks GROUP BY status')
    for (const { status, n } of counts) {
      const dumped = JSON.parse(readFileSync(folder.file(`job_${status}.json`), 'utf8'))
      assert.equal(dumped.length, n)
      assert.deepEqual(Object.keys(dumped[0]), ['task_id', 'data'])
    }
    assert.match((await folder.run('show_queue', '--config', 'job.yml')).stdout, /does not exist/)
  })
})
