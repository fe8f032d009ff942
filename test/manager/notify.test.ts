import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Notify } from '../../core/job-config.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { type JobEnding, type Notification, notifyOfEnding } from '../../manager/notify.ts'
import { runNotifyCommand } from '../../manager/notify-command.ts'
import { buildReport, type Report } from '../../manager/report.ts'
import { JobFolder } from '../support/job-folder.ts'
import { configWith } from './offers.ts'

const TIMEOUT = { timeout: 60_000 }
const NEVER = new AbortController().signal
const SECRET = 'T0P-S3CRET'

interface Post {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Notification
}

/** Answers with each of the statuses in turn, then with the last of them. */
async function openWebhook(t: TestContext, ...statuses: number[]) {
  const posts: Post[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    posts.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(text) })
    response.writeHead(statuses[Math.min(posts.length, statuses.length) - 1] ?? 200).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { posts, url: `http://127.0.0.1:${address.port}` }
}

function setUp(t: TestContext, notify: Partial<Notify>) {
  const folder = new JobFolder()
  t.after(() => folder.remove())
  const db = openJobDb(folder.file('job.db'), { mode: 'create' })
  t.after(() => db.close())
  const log: string[] = []
  const config = {
    ...configWith({ max_total_cost: 5 }),
    notify: { onFinish: undefined, onFailure: undefined, onBudget: undefined, ...notify },
  }
  const tell = (ending: JobEnding, report: Partial<Report> = {}) =>
    notifyOfEnding(ending, {
      db,
      jobId: 'sums',
      config,
      report: { ...buildReport(db, { now: new Date(0) }), ...report },
      log: (level, text) => log.push(`${level} ${text}`),
      signal: NEVER,
      clock: { now: () => 1_000, sleep: async () => {} },
    })
  return { folder, db, log, tell }
}

const NOTIFICATION: Notification = {
  id: 'an-id',
  event: 'finish',
  text: 'Job j is done.',
  job_id: 'j',
  at: '2026-01-01T00:00:00.000Z',
  total: 1,
  completed: 1,
  failed: 0,
  unfinished: 0,
  cost_usd: 0,
  db_file: 'j.db',
}
const FINISHED: JobEnding = { kind: 'finished' }
const FAILED = { allCompleted: false, totalCount: 10, unfinishedCount: 0 }

describe('notifications', () => {
  it('are posted as JSON, once for each ending, with an id that stays the same', TIMEOUT, async t => {
    const { posts, url } = await openWebhook(t, 200)
    const { tell, log } = setUp(t, { onFinish: `${url}/hooks/${SECRET}` })
    await tell(FINISHED)
    await tell(FINISHED)
    assert.equal(posts.length, 1, 'a job that is continued after its end tells nobody again')
    const [post] = posts
    assert.equal(post?.path, `/hooks/${SECRET}`)
    assert.equal(post?.headers['content-type'], 'application/json')
    assert.equal(post?.headers['idempotency-key'], post?.body.id)
    assert.equal(post?.body.event, 'finish')
    assert.equal(post?.body.job_id, 'sums')
    assert.equal(post?.body.max_total_cost_usd, 5)
    assert.match(post?.body.text ?? '', /^Job sums is done: 0 of 0 tasks completed, 0 failed, for \$0\.0000\.$/)
    await tell(FINISHED, { totalCount: 5, lastCompletedAt: '2030-01-01T00:00:00Z' })
    assert.equal(posts.length, 2, 'one that went on and ended anew does')
    assert.notEqual(posts[0]?.body.id, posts[1]?.body.id)
    assert.ok(!log.join('\n').includes(SECRET), log.join('\n'))
  })

  it('tell of failures apart, and of a spent budget in place of a failure', TIMEOUT, async t => {
    const { posts, url } = await openWebhook(t, 200)
    const all = { onFinish: `${url}/finish`, onFailure: `${url}/failure`, onBudget: `${url}/budget` }
    const { tell } = setUp(t, all)
    await tell(FINISHED, FAILED)
    assert.deepEqual(
      posts.splice(0).map(post => post.path),
      ['/finish', '/failure'],
    )
    await tell({ kind: 'aborted', because: 'max_total_cost is spent', overBudget: true }, FAILED)
    assert.deepEqual(
      posts.splice(0).map(({ path, body }) => [path, body.event, body.because]),
      [['/budget', 'budget', 'max_total_cost is spent']],
    )
    const without = setUp(t, { onFailure: `${url}/failure` })
    await without.tell({ kind: 'aborted', because: 'max_total_cost is spent', overBudget: true }, FAILED)
    assert.deepEqual(
      posts.splice(0).map(post => post.path),
      ['/failure'],
    )
    await without.tell(FINISHED)
    assert.equal(posts.length, 0, 'nothing failed')
  })

  it('are tried three times while a server is out of order, and once if it does not want them', TIMEOUT, async t => {
    const flaky = await openWebhook(t, 500, 503, 200)
    await setUp(t, { onFinish: flaky.url }).tell(FINISHED)
    assert.equal(flaky.posts.length, 3)
    assert.equal(new Set(flaky.posts.map(post => post.body.id)).size, 1)

    const down = await openWebhook(t, 500)
    const { tell, log } = setUp(t, { onFinish: `${down.url}/${SECRET}` })
    await tell(FINISHED)
    assert.equal(down.posts.length, 3)
    assert.match(log.join(), /^WARNING on_finish: http:\/\/127\.0\.0\.1:\d+ could not be told: it answered 500\./)
    await tell(FINISHED)
    assert.equal(down.posts.length, 6, 'what nobody took is sent when the job is continued')

    const unwilling = await openWebhook(t, 404)
    await setUp(t, { onFinish: unwilling.url }).tell(FINISHED)
    assert.equal(unwilling.posts.length, 1)
  })

  it('never show what is secret in an address, whatever goes wrong', TIMEOUT, async t => {
    const { posts, url } = await openWebhook(t, 200)
    const withPassword = setUp(t, { onFinish: url.replace('http://', `http://me:${SECRET}@`) })
    await withPassword.tell(FINISHED)
    assert.equal(posts[0]?.headers.authorization, `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`)
    const places = [
      `http://127.0.0.1:9/${SECRET}`,
      `http://${SECRET}@127.0.0.1:9`,
      `https://a b/${SECRET}`,
      `http://?${SECRET}`,
    ]
    for (const onFinish of places) {
      const { tell, log } = setUp(t, { onFinish })
      await tell(FINISHED)
      assert.equal(log.length, 1, log.join('\n'))
      assert.ok(!log.join().includes(SECRET), log.join())
    }
    assert.ok(!withPassword.log.join().includes(SECRET))
    const { folder } = withPassword
    folder.write(
      'secret.yml',
      `provider: local\nlocal:\n  job_id: j\nrun:\n  on_finish: https://hooks.example.com/${SECRET}\n`,
    )
    const { stdout, stderr } = await folder.run('check_config', '--config', 'secret.yml')
    assert.ok(!`${stdout}${stderr}`.includes(SECRET) && stdout.includes('on_finish'), stdout)
  })

  it('run a command with the facts in its environment and on its standard input', TIMEOUT, async t => {
    const { folder, tell, log } = setUp(t, {})
    const file = folder.file('told.txt')
    const onFinish = `cat > "${file}"; echo "$CLOUD_TASKS_EVENT $CLOUD_TASKS_JOB_ID $CLOUD_TASKS_COMPLETED" >> "${file}"`
    await setUp(t, { onFinish }).tell(FINISHED)
    const [json = '', words] = readFileSync(file, 'utf8').split('\n')
    assert.equal(JSON.parse(json).event, 'finish')
    assert.equal(words, 'finish sums 0')
    const failing = setUp(t, { onFinish: 'exit 3' })
    await failing.tell(FINISHED)
    assert.match(
      failing.log.join(),
      /^WARNING on_finish: the command failed: it exited with 3\. The job itself is as the report says\.$/,
    )
    await tell(FINISHED)
    assert.deepEqual(log, [], 'nobody is to be told')
  })

  it('end a command that runs too long, with all it started', TIMEOUT, async t => {
    const folder = new JobFolder()
    t.after(() => folder.remove())
    const started = `sh -c 'sleep 30; touch "${folder.file('still-there')}"'`
    const problem = await runNotifyCommand(`${started} & ${started}`, NOTIFICATION, { signal: NEVER, limitMs: 300 })
    assert.equal(problem, 'it ran longer than 0.3 s')
    for (let tries = 0; folder.processes().length > 0; tries++) {
      assert.ok(tries < 100, `still there: ${folder.processes()}`)
      await sleep(50)
    }
  })

  it('come at the end of a real job, and tell that it stopped for its budget', TIMEOUT, async t => {
    const { posts, url } = await openWebhook(t, 200)
    const folder = new JobFolder({
      taskCount: 30,
      run: [`on_finish: ${url}/finish`, `on_failure: ${url}/failure`, 'on_budget: cat > budget.json'],
    })
    t.after(() => folder.remove())
    const first = await folder.run('run', '--config', 'job.yml', '--task-file', 'tasks.json')
    assert.equal(first.exitCode, 0, first.stderr)
    await folder.run('run', '--config', 'job.yml', '--continue')
    await folder.run('monitor_event_queue', '--config', 'job.yml')
    assert.deepEqual(
      posts.map(({ path, body }) => [path, body.completed]),
      [['/finish', 30]],
    )
    const poor = await folder.run(
      ...['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force', '--max-total-cost', '0.0000001'],
    )
    assert.equal(poor.exitCode, 1)
    const told = JSON.parse(readFileSync(join(folder.path, 'budget.json'), 'utf8'))
    assert.deepEqual([told.event, told.unfinished], ['budget', 30])
    assert.match(told.because, /max_total_cost/)
    assert.equal(posts.length, 1)
  })
})
